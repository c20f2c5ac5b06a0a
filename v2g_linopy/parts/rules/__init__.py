"""What binds the others together."""
