"""A policy for use elsewhere: written, described, read back.

It knows playing/ and what lies below.
"""
