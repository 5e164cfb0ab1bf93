"""Folds, in-fold preprocessing, training, statistics and saved results."""
