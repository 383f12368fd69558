"""What a run leaves on disk: its folder, lock and last word, files that are whole, versions.

The ground floor: it knows the configuration and nothing else of training/.
"""
