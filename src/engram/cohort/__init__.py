"""Who: the manifest, its validation, the exclusion flow, and synthetic phantoms."""
