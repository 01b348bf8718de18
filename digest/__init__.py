"""Listing pages of new papers in; feeds, a web archive and an honest email out."""

__version__ = "0.1.0"
