"""Environments that one process owns: built, reset, stepped, checked."""
