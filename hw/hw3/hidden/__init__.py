"""The hidden tests of hw3: they go beyond the public ones, in shapes, in layouts, and in numbers that are none."""
