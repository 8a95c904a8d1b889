"""What makes the project, but is no part of the package."""
