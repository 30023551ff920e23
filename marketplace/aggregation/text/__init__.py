"""Sequences in, sequences out: one text out of several, and one marking of stretches out of several.

Tokens are whatever the caller cuts a text into, words or characters, as long as they can be compared and sorted.
"""
