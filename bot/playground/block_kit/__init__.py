"""Block Kit: what a block may be."""
