"""Frequency reserves: capacity sold, energy behind it, activation."""
