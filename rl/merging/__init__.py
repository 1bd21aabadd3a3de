"""Models of one base merged by their weights."""
