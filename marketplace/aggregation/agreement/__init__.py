"""How far several workers who did the same tasks agree, and how far that is beyond chance: NumPy and nothing else.

Everything starts from `Units`: the tasks that have at least two answers. A figure that the answers do not determine is
NaN, never a guess: with one worker there is no agreement, and where everybody always says the same there is nothing
that chance could be corrected for.
"""
