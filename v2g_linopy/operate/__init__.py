"""Without optimising, or through gates in windows."""
