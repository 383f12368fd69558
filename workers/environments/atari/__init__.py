"""Atari games, by ale-py."""
