"""A checkpoint that an earlier commit wrote (4bf9e02), halfway through a run and at its end."""
