"""Recipes (*.conf), their schema and the loader."""
