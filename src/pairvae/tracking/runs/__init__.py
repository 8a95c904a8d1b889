"""One MLflow run for each training: what it records, kept in an outbox until the store has it."""
