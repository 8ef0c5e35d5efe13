"""The outer layer of Flagman: settings, processes, HTTP API, Python client, command line and playground."""
