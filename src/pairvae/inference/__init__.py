"""From a model folder or a registered model to predictions and how far to trust them (level 4)."""
