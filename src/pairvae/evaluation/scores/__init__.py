"""Scores of predictions as plain numbers; ``definitions.py`` has the formulas, and says where a new one goes."""
