"""Renders saved results; computes nothing."""
