"""Recommendations: the best items for many users, similar items, new items, files of results.

::

    recommender   Recommender: recommend, similar_items, add_items
    top_items     the k best items of each history, with filters, in blocks of bounded memory
    describe      one history's recommendations with sentences, keywords, scores by modality
    output        recommendations as a .csv, .parquet or .jsonl file
"""
