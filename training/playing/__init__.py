"""A checkpoint that plays: evaluation, and one game as a film.

It knows building/ and what lies below; training does not know it.
"""
