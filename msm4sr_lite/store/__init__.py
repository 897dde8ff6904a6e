"""What the library keeps on disk: files, records, checkpoints, logs. Each is written whole."""
