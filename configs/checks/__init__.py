"""Checks over more than one key, a thought a file; each returns one message for each thing."""
