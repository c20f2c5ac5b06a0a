"""From charging sessions to the arrays of a fleet."""
