"""Answers in, results out: NumPy and nothing else.

Methods for labels take `Votes` and return a `LabelResult`; numbers, comparisons, shapes (`geometry`) and words (`text`)
have forms of their own; `agreement` says how far workers say the same. The package knows no tables, no projects and no
workers by name; whoever calls it encodes ids with `Votes.of` and reads the vocabularies back.
"""
