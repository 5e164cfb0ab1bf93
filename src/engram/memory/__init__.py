"""A frozen SAM 2 family model reads the slices; its memory is the embedding."""
