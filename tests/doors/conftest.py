"""The house of the HTTP tests, in which the command line, Python and Slack are tried, too."""

from tests.api.conftest import build, slack

__all__ = ["build", "slack"]
