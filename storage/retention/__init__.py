"""Takes ended sessions out of the store, once their SESSION_LOGs are archived."""
