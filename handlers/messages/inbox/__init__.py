"""The direct message on what waits for a person, and what they chose about it."""
