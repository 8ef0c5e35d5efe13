"""Setting Flagman up in Slack: the app, its tokens, and the proof that all of it arrives."""
