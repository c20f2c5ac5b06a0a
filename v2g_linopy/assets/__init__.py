"""Kinds of asset behind a meter, one per file."""
