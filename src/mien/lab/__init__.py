"""The laboratory: look at embeddings, draw them, write reports, retake photos."""
