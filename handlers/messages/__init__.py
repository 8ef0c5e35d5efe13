"""Session state to Block Kit: pure functions, within all of Slack's limits for any input."""
