"""One short function per pipeline stage: read settings, load, call, save, track (level 4)."""
