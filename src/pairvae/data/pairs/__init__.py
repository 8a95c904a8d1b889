"""Which files belong to one sample."""
