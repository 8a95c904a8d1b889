"""Scores, baselines, the crop-to-crop floor: arrays in, plain dicts out (level 3)."""
