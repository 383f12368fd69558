"""A process and its machine: begun, deaf to signals, kept and ended; memory that is left."""
