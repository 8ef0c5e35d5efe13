"""Flagman as an MCP server."""
