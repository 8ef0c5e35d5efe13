"""Personas: Markdown files with front matter, and those that sessions are pinned to."""
