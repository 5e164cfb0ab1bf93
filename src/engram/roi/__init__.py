"""Where: bone labels, regions, and the box of each slice."""
