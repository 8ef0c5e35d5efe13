"""Flagman as an MCP server: its tools for other agents, over HTTP and over standard input and output."""
