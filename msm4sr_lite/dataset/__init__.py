"""Datasets: users, items and interactions, read from folders or data frames and checked.

::

    tables   one reader for csv, tsv, JSON lines and parquet files
    rows     their cells and rows, checked: ids, numbers, texts; items and interactions
    sources  a dataset folder or data frames, and whether items and interactions match
    dataset  Dataset, and what is in it on one screen
    split    filter interactions, hold some out, group them by user
    convert  public datasets into dataset folders
"""
