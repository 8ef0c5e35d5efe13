"""Flagman on the outside: settings, processes, HTTP API, command line, playground."""
