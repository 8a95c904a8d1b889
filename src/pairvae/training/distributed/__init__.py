"""Several processes that train one model, and micro-batches where memory is short."""
