"""Modules that take numbers, not configurations."""
