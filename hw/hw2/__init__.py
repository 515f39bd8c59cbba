"""hw2: a neural network library."""
