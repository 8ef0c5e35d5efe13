"""Ended sessions are archived and leave the store."""
