"""Nets in torch: only for converting published weights and for training, never to unlock."""
