"""Messages as Block Kit: pure functions of session state, within Slack's limits for any input."""
