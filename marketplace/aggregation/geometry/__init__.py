"""Shapes in pictures, films and space: how alike two are, which belong together, and what many come to. NumPy only."""
