"""Tables of other programs: files, marks, clocks, units."""
