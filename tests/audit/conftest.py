"""The house of the HTTP tests, in which Slack and the command line are tried, too."""

from tests.api.conftest import build, slack

__all__ = ["build", "slack"]
