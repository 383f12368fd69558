"""Moving sprites: a world of Scout's own."""
