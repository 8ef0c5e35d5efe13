"""Delivery of events and interactions to the app, over websockets or signed HTTP requests."""
