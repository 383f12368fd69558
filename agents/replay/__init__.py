"""What an agent remembers of its play, to learn from it more than once."""
