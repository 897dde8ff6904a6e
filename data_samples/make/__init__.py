"""How the sample dataset was made: items, simulated users, drawings, texts and the oracle."""
