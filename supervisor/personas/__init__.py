"""Personas: the files that come with Flagman, and the reader for all of them."""
