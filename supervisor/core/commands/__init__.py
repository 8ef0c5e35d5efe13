"""Commands: one pure function for each verb, from a session to the events to append."""
