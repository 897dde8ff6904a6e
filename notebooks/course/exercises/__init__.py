"""The exercises of the course, one module a notebook; each lists its own as ``EXERCISES``."""
