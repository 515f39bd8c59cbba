"""The public tests of hw3, one file for each task."""
