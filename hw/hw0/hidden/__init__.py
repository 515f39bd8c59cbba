"""The hidden tests of hw0: they go beyond the public ones, in shapes, in size and in care."""
