"""Frozen image encoders without a memory: the baselines that say what the memory adds (requirements 26 and 35)."""
