"""Installing Flagman in many workspaces: Slack's OAuth, what is stored of each of them, and their tokens."""
