"""Pages of the documentation that are written by the code: commands, settings, Python, the drawing of the levels."""
