"""Powder X-ray diffraction for pairvae."""
