"""The hidden tests of hw6: other shapes and dtypes, other kernels, and what has to stay as it is."""
