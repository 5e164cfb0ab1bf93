"""Why a risk is what it is, and what would change it: from risks back to prompts, slices and voxels."""
