"""PET and CT of one patient on one grid, then as 8-bit frames."""
