"""What this machine has and what runs on it: make doctor, make kill.

It knows folders/ and ranks/, and works where packages are missing.
"""
