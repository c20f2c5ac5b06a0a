"""What a case is: file, schema, units, calendar."""
