"""Studies: models compared on one dataset with the same split, training budget and statistics.

``run_study`` in ``study.run`` runs one part or all of them; ``study.config`` holds the settings.
"""
