"""Slack to intent, and the log to Slack."""
