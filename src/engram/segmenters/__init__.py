"""Segmenters as commands in environments of their own: found, checked, run, and their maps kept."""
