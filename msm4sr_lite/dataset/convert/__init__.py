"""Other people's data into a shop folder: one file per format.

::

    records   what a format finds and hands over, and the checks of single values
    lines     files row by row: what cannot be read is counted, too much of it stops
    write     the shop folder
    id_set    which ids were seen, at 8 bytes each
    pictures  pictures that lie in a folder, named by item
    formats   which format a folder or file is

A format is a module with ``NAME``, ``WANTS`` (its files, for the user to read), ``find``,
``events`` and ``items``. Nothing is read as a whole, so memory does not grow with the files, only
(slowly) with the number of different customers, items and pictures.
"""
