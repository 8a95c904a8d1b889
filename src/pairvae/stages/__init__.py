"""The functions that dvc.yaml names: read settings, load, call, save, track (level 5)."""
