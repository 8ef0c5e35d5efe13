"""The SESSION_LOG: a Markdown document of a session that can be verified, and from which it can be restored."""
