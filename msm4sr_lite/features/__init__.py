"""From texts and images to features: keywords, sentence embeddings, the feature table."""
