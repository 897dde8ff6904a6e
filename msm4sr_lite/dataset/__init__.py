"""Datasets: users, items and interactions, read from folders or data frames and checked.

::

    cells    one cell: ids, numbers, texts, lists of texts
    tables   one reader for csv, tsv, JSON lines and parquet files
    rows     the rows of the two tables, checked: items and interactions
    sources  a dataset folder or data frames, and whether items and interactions match
    dataset  Dataset, and what is in it on one screen
    split    filter interactions, hold some out, group them by user
    convert  public datasets into dataset folders
"""
