"""Scores of predictions as plain numbers."""
