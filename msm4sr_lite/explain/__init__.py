"""What moved a score: each input is left out in turn, and the model is asked again.

::

    evidence          one input and its effect; the strongest ones; a sentence about each
    inputs            the sentences, images and keywords that can be left out of an item
    explainer         Explainer: measures the effect of every input on a score
    swapping          a scorer that exchanges text and image at some positions of a history
    keyword_deletion  an image's keywords, embedded without each of them
"""
