"""Encoders, decoders, VAEs and their pair: tensors in, tensors out (level 2)."""
