"""Power purchase agreements and contracts for difference."""
