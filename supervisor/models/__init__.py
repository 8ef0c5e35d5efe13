"""Gateways to language models: of a provider, or the scripted demo where no model is configured."""

from __future__ import annotations

from supervisor.core.errors import GatewayError, GatewayErrorKind
from supervisor.models.demo.gateway import DemoGateway
from supervisor.models.gateway import Gateway
from supervisor.models.provider import ProviderGateway

__all__ = ["DemoGateway", "Gateway", "GatewayError", "GatewayErrorKind", "ProviderGateway", "make_gateway"]


def make_gateway(model: str | None) -> ProviderGateway | DemoGateway:
    """Return the gateway for `provider:name`, or the scripted demo for None; imports no provider's library."""
    return ProviderGateway(model) if model else DemoGateway()
