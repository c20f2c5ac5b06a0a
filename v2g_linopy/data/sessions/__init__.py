"""From charging sessions to a fleet, and from what was read to the groups of a case."""
