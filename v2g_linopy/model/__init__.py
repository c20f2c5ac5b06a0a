"""What a part is, and the formulas that parts share."""
