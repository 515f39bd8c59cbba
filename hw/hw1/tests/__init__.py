"""The public tests of hw1, one file for each task."""
