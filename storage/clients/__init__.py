"""Clients of the forms of a store: one server, a primary that Sentinels name, a cluster."""
