"""What main.py can do: one file a verb, each named in verbs.py.

Worker processes are spawned and run main.py's top level again, and with it the top levels here:
they import nothing heavy. What a verb needs is imported where it runs.
That holds for `typing`, too, which takes as long as this whole package: type checkers take the name
TYPE_CHECKING for true, and what they alone need is imported below it.
"""
