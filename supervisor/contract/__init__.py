"""Requests and views of the public interface, and the service behind the HTTP API, the SDK and Slack."""
