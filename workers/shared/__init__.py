"""What both sides of a pool know: messages, shared arrays, who owns what, whose turn."""
