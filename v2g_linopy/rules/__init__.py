"""Rules that bind several parts, one per file."""
