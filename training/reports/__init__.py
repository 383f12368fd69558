"""Reports of runs: self-contained pages with curves, tables and pictures."""
