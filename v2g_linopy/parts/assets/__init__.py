"""What makes, stores or uses energy."""
