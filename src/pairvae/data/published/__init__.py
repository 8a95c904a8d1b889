"""The published pairs, downloaded."""
