"""Raw pairs: where they come from, which files belong together, checks, prepared arrays, seeded batches (level 2)."""
