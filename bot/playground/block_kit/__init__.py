"""Validation of Block Kit blocks and views."""
