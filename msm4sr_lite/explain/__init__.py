"""Explain scores: leave out each input in turn, and compute the score again.

::

    evidence  an input and its effect; selects the strongest inputs and describes them
    effects   measures the effect of every input on the scores of items
"""
