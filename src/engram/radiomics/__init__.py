"""Radiomics by MIRP, which lives in an environment of its own and is run as a command."""
