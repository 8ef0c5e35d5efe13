"""The Lua scripts, each with one typed function that calls it."""
