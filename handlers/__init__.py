"""The Slack interface: listeners for what people do, and the projection of sessions to messages."""
