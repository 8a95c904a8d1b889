"""Pure functions on arrays and tensors: images, scattering, morphology, distributions and losses (level 0)."""
