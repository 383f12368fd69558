"""Checkpoint files: written whole or not at all, refused in words, chosen to continue from.

It knows folders/, ranks/ and the options; of what runs it knows nothing.
"""
