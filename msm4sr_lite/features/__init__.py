"""The stages before training: dictionaries, keywords of all pictures, the feature table."""
