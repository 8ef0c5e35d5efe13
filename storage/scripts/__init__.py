"""The Lua scripts: each is one typed function that names its keys, its arguments and its result."""
