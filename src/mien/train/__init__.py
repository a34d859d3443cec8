"""Self-supervised training of an embedder in torch; nothing that unlocks imports it."""
