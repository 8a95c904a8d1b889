"""Scores, baselines, the crop-to-crop floor: arrays in, plain dicts out (level 3).

A new score goes into ``scores/definitions.py``.
"""
