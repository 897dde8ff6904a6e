"""The sample shop: drawn, simulated, with a known ceiling; and the small CLIP that reads it."""
