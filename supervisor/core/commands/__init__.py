"""Commands: what each verb decides, as pure functions from a session to the events that follow from it."""
