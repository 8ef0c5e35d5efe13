"""The SESSION_LOG: one Markdown document that tells a session, proves itself, and can bring it back. Pure."""
