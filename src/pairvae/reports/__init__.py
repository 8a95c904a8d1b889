"""Figures and the HTML report, drawn from finished scores (level 3)."""
