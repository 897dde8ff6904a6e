"""Records, checkpoints, logs and other files, each written completely or not at all."""
