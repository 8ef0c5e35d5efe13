"""Actions of the people of the workspace and the payloads that they send to the app."""
