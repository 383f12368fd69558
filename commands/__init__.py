"""What main.py can do: one file a verb, each named in verbs.py.

Worker processes are spawned and run main.py's top level again, and with it the top levels here:
they import nothing heavy. What a verb needs is imported where it runs.
"""
