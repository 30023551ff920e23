"""Votes in, labels out: NumPy and nothing else.

Every method takes `Votes` and returns a `LabelResult`. The package knows no tables, no projects and no workers by name;
whoever calls it encodes ids with `Votes.of` and reads the vocabularies back.
"""
