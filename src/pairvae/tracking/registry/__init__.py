"""Registered models: their versions, aliases and files, and the server around them."""
