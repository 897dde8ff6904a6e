"""What moved a score: each input is left out in turn, and the model is asked again.

::

    evidence  one input and its effect; the strongest ones; a sentence about each
    effects   measures the effect of every input on the scores of items
"""
