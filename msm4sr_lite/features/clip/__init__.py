"""A small CLIP-format model from a labelled picture folder, for those who cannot download one."""
