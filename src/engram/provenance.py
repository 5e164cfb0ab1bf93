"""What a result was made with: versions, digests, seed."""
