"""The hidden tests of hw2: they go beyond the public ones, in shapes, in dtypes, in state and in care."""
