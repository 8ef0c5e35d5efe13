"""The tools that an installation brings along."""
