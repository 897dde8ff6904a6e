"""Datasets: users, items and interactions, read from folders or data frames and checked.

::

    tables   reads csv, tsv, JSON lines and parquet files (with lines, parquet and columns)
    rows     checks cells and rows: ids, numbers and texts, items (interactions: whole columns)
    sources  reads a dataset folder or data frames; matches items and interactions
    dataset  Dataset, and a summary of it on one screen
    split    filters interactions (filters), holds some out, groups them by user
    convert  converts public datasets into dataset folders
"""
