"""What others got wrong: faults that public threads of other trainers tell of, kept out of here.

Each test is named after its thread. Where another test of this suite holds the very thing, its
docstring names the thread instead.
"""
