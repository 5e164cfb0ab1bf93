"""Label tables of the segmenters, as their own sources give them."""
