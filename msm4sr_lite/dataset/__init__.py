"""Datasets: users, items and interactions, read from folders or data frames and checked.

::

    cells         one cell: ids, numbers, texts, lists of texts
    lines         the lines of a text file
    tables        one reader for csv, tsv, JSON lines and parquet files
    items         Item, and how a row of the item table becomes one
    interactions  the checked table of users, items and timestamps
    sources       a dataset folder or data frames, and whether items and interactions match
    dataset       Dataset
    summary       what is in a dataset, on one screen
    split         filter interactions, hold some out, group them by user
    convert/      public datasets into dataset folders
"""
