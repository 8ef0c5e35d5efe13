"""Commands about what belongs to the person who owns the key: how they are told, and what they have connected."""
