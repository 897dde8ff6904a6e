"""Train a small CLIP-like model on a folder of labelled images."""
