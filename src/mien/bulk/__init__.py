"""Work on many photos: worker processes, sealed shards of embeddings, and clusters."""
