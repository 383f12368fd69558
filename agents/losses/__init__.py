"""Pure functions on tensors: the mathematics."""
