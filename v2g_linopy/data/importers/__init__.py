"""Published and own files, read as sessions, prices and profiles."""
