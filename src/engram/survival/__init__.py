"""Cox loss, DeepSurv, ridge Cox, metrics and curves."""
