"""What the site of documents adds to docs/: pages from elsewhere, and references."""
