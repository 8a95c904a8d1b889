"""Sources of raw pairs, the manifest and its checks, seeded batches and crop schedules (level 2)."""
