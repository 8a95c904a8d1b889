"""Multimodal VAEs of a maintained library on the same prepared pairs, scored by the same code."""
