"""The routes: each reads the request, calls one use case on a worker thread, and responds."""
