"""Reports of runs: self-contained pages with curves, tables and pictures.

It knows folders/, figures/ and live/: it reads what runs left, and never runs one.
"""
