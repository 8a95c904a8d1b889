"""Readers of curve files: tables of text, canSAS XML, HDF5; units and names of their columns."""
