"""Servers that people connect as themselves: how they authorize Flagman, and the tokens that Flagman keeps for them."""
