"""hw6: the compiler."""
