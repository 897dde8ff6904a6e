"""Recommend items to many users, find similar items, add new items, write results to files.

::

    recommender   Recommender: recommend, similar_items, add_items
    top_items     the k best items of each history, with filters and bounded memory
    describe      recommendations for one history with sentences, keywords, scores by modality
    output        recommendations as a .csv, .parquet or .jsonl file
"""
