"""One session: why it pauses, what its model reads, and how a copy of it begins."""
