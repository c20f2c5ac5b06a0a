"""Kinds of market the portfolio trades on, one per file."""
