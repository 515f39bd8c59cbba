"""hw1: automatic differentiation."""
