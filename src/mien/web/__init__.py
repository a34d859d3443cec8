"""HTTP: the page and the service."""
