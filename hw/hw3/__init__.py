"""hw3: the array."""
