"""The public tests of hw2, one file for each task."""
