"""The built-in data: simulated SAXS-SEM pairs."""
