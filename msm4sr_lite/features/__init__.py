"""Turn texts and images into features: keywords, sentence embeddings, the feature table."""
