"""Conditions of approval rules besides comparisons: a JSON Schema of the arguments, and hours. Pure."""
