"""What a server asks people for in the middle of a call of its tool: the request, its fields, and answers to it."""
