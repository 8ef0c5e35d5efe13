"""The tools of agents: the interface of a tool, and the built-in tools."""
