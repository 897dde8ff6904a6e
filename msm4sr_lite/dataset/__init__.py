"""Shop folders in: everything in them is untrusted until it is checked here."""
