"""A plan, or a case, in the formats of those who execute it or compute with it."""
