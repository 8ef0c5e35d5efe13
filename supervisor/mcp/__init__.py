"""MCP servers: their configuration, connections to them, and their tools under the same rules as all others."""
