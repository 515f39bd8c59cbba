"""The public tests of hw0, one file for each task."""
