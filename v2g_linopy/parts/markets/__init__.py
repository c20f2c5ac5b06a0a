"""What buys and sells it."""
