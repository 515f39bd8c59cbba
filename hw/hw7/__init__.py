"""hw7: a debugger's listener."""
