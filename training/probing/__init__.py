"""Look before any agent learns: what a representation knows, and what is drawn of fresh play.

Knows the rooms below it: offline for encoders and datasets, collecting for play, reports for pages.
"""
