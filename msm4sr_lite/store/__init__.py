"""What is written to disk is written whole or not at all."""
