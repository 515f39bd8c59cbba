"""The public tests of hw7, one file for each task."""
