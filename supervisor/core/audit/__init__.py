"""The decisions in a log as rows for the audit, and their summary. Pure."""
