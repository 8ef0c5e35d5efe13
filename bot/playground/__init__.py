"""A local stand-in for Slack that speaks Slack's own protocol to the bot."""
