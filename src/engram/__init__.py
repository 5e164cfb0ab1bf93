"""Engram: from whole-body PET/CT to memory embeddings to an honest prognosis."""

__version__ = "0.1.0"
