"""Cases made from a few numbers."""
