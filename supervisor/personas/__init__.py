"""Personas: the files that come with Flagman, and the loader of persona files."""
