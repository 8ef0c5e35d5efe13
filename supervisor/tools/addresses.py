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
METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42"],
    )
)


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, text.split()))


# From https://www.iana.org/assignments/iana-ipv4-special-registry and the one for IPv6, since the tables of `ipaddress`
# differ between the versions of Python.
_SPECIAL = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 3fff::/20"
)
# Everything public in IPv6 lies in here.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_MAPPED, _NAT64 = ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96")
_SIXTOFOUR = ipaddress.IPv6Network("2002::/16")
# IPv4 in IPv6 for use within one network, or no longer in use: never public, whatever they contain.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE, _TRANSLATED = ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("::ffff:0:0:0/96")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def refusal(text: str, *, allow_private: bool) -> str | None:
    """Return the reason why the address may not be reached, or None where it may."""
    address = ipaddress.ip_address(text.partition("%")[0])
    target = _target(address)
    if any(a.is_link_local or a in METADATA for a in (target, *_contained(address))):
        return f"{text} is a link-local or metadata address"
    if target.is_multicast or target.is_unspecified or target == ipaddress.IPv4Address("255.255.255.255"):
        return f"{text} is not the address of one host"
    if not allow_private and not _is_public(target):
        return f"{text} is a private or local address"
    return None


def _is_public(address: Address) -> bool:
    special = any(address in network for network in _SPECIAL)
    if isinstance(address, ipaddress.IPv4Address):
        return not special
    # An address by ISATAP contains the one of a host in a private network.
    return address in _UNICAST and not special and address.packed[8:12] not in _ISATAP


def _target(address: Address) -> Address:
    """Return the IPv4 address to which packets for an IPv6 address are sent in the end, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _MAPPED or address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    if address in _SIXTOFOUR:
        return ipaddress.IPv4Address(address.packed[2:6])
    return address


def _contained(address: Address) -> list[ipaddress.IPv4Address]:
    """Return all IPv4 addresses that an IPv6 address of the other kinds may contain."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    data = address.packed
    found: list[bytes] = []
    if address in _COMPATIBLE or address in _TRANSLATED or data[8:12] in _ISATAP:
        found.append(data[12:])
    if address in _LOCAL_NAT64:
        # The places for prefixes of 48, 56, 64 and 96 bits (RFC 6052, 2.2).
        found += [data[6:8] + data[9:11], data[7:8] + data[9:12], data[9:13], data[12:]]
    if address in _TEREDO:
        found += [data[4:8], bytes(byte ^ 0xFF for byte in data[12:])]
    return [ipaddress.IPv4Address(part) for part in found]


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """Return the socket factory for an aiohttp connector; it raises OSError (EACCES) for a refused address."""

    def create(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        problem = refusal(str(address[0]), allow_private=allow_private)
        if problem:
            raise OSError(errno.EACCES, problem)
        return socket.socket(family, kind, protocol)

    return create
