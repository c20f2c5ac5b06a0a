"""What activation signals and frequency do to a plan."""
