"""The hidden tests of hw5: they go beyond the public ones, in shapes, in nesting, in structures and in what is kept."""
