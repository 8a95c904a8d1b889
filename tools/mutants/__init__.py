"""Mutation testing: small faults are planted in a module one at a time, and the tests should notice each."""
