"""Decides which network addresses a request may reach.

The address of each opened socket is checked, and not the name, which could resolve to another address a second time.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressInfo = tuple[int, int, int, str, Any]

# Addresses besides the link-local ones at which clouds serve credentials of the machine.
METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def refusal(text: str, *, allow_private: bool) -> str | None:
    """The reason why the address may not be reached, or None where it may."""
    address = _embedded_address(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_link_local or address in METADATA:
        return f"{text} is a link-local or metadata address"
    if address.is_multicast or address.is_unspecified:
        return f"{text} is not the address of one host"
    if not allow_private and not address.is_global:
        return f"{text} is a private or local address"
    return None


def _embedded_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 address contains, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """The socket factory for an aiohttp connector; it raises OSError (EACCES) with the reason for a refused address."""

    def create(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        problem = refusal(str(address[0]), allow_private=allow_private)
        if problem:
            raise OSError(errno.EACCES, problem)
        return socket.socket(family, kind, protocol)

    return create
