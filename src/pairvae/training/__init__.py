"""Plans, the loop, checkpoints, devices (level 3)."""
