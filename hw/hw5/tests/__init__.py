"""The public tests of hw5, one file for each task."""
