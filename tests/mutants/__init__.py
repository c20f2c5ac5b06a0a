"""Break the package on purpose, in many small ways, and count how often a test sees it."""
