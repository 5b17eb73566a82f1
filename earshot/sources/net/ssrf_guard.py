"""SSRF guard: a source may connect only to public addresses, to the host that the user named, and through its proxy.

Strangers control where a feed or a page leads: its entries, its redirects, and what its names resolve to. To keep them out of
this machine's own network, `restrict_connections()` checks the address of every connection in its block and thread (a hook on
CPython's audit event `socket.connect`). That covers redirects, media, and names that resolve to a different address when used
than when checked. A program that would fetch a URL by itself (yt-dlp hands some streams to ffmpeg) cannot be checked in this
way, so it is not started. `refuse_private()` refuses an entry before any request; `find_refusal()` finds a refusal inside a
library's error.

A source with `allow_private: true` may connect anywhere; so may all sources while EARSHOT_ALLOW_PRIVATE_ADDRESSES is 1.

Not covered: threads started inside the block (yt-dlp starts some for fragments only with `concurrent_fragment_downloads`
over 1, which nothing here sets); connections made by a proxy; a named host that resolves to a private address, which counts as
intended. An open connection is reused without another check: it belongs to one source's session
(earshot/sources/net/session.py), whose rule does not change.
"""

import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from earshot.common.errors import AddressRefused, error_chain
from earshot.common.redaction import without_secrets
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source

REMEDY = "Set `allow_private: true` for its source in sources.yaml, or EARSHOT_ALLOW_PRIVATE_ADDRESSES=1, if you mean it."

# IANA, IPv6 address space: the part that is assigned for the internet.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052, section 2.1: the last 32 bits hold an IPv4 address, so that IPv6-only networks reach IPv4 hosts.
_NAT64 = IPv6Network("64:ff9b::/96")
# Ports that yt-dlp and its libraries assume for a proxy URL without one.
_PROXY_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class _Rule:
    """What is allowed besides public addresses: the named host at any port, and proxies at their ports."""

    named: str | None
    proxies: frozenset[tuple[str, int]]


class _Refused(PermissionError):
    """Raised by the hook. An OSError, so that libraries treat it like any failed connection."""

    def __init__(self, target: str) -> None:
        super().__init__(f"<refused: {target}>")


_rule: ContextVar[_Rule | None] = ContextVar("earshot_address_rule", default=None)


@contextmanager
def restrict_connections(source: Source) -> Iterator[None]:
    """Within the block and in this thread, connect only to addresses that this source allows.

    Blocks may be nested; the inner source counts. A generator suspended inside the block leaves the rule active for the code
    that iterates it. Raises Misconfigured for an invalid setting.
    """
    _install_hook()
    rule = None if _may_lead_anywhere(source) else _Rule(_host_of(source.address), _proxies_of(source))
    token = _rule.set(rule)
    try:
        yield
    finally:
        _rule.reset(token)


def refuse_private(url: str, source: Source) -> None:
    """Raise AddressRefused if this URL is not http or https, or leads to an address that the source does not allow.

    A name is refused if every address it resolves to is; a name that does not resolve fails on connecting. Behind a proxy,
    names are not resolved here: only literal addresses and localhost are checked.
    """
    host = _host_of(url)
    if host is None or not url.lower().startswith(("http://", "https://")):
        raise AddressRefused(
            f"{without_secrets(url)}: only http and https URLs are fetched.",
            "To ingest a local file, give its path, without file://.",
        )
    named = _host_of(source.address)
    if _may_lead_anywhere(source) or host == named:
        return
    literally = bool(_proxies_of(source))
    addresses = _addresses_of(host, literally)
    if addresses and not any(map(is_public, addresses)) and not addresses & _addresses_of(named, literally):
        raise address_refused(url, str(min(addresses, key=str)))


def address_refused(url: str, target: str) -> AddressRefused:
    """The error for a URL that led to this target, as found by `find_refusal()`."""
    return AddressRefused(
        f"{without_secrets(url)} leads to {target}, and its source may only lead to public addresses and its own host.", REMEDY
    )


def find_refusal(error: BaseException) -> str | None:
    """The target whose refusal caused this error: an address, or a program and its host. None if no refusal did.

    Searches the messages of the error and of all errors that it wraps: after its last retry yt-dlp drops the exceptions, but
    keeps their messages.
    """
    matches = (re.search(r"<refused: ([^>]+)>", str(link)) for link in error_chain(error))
    return next((match[1] for match in matches if match), None)


def is_public(address: Address) -> bool:
    """Whether this address is globally reachable unicast."""
    address = _unmapped(address)
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:  # Python 3.13 calls none of these global
        return is_public(address.sixtofour)
    return address.is_global and address in _GLOBAL_UNICAST


# --- where connections are made ------------------------------------------------------------------------------------------


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. It is called for every audited event of the process, so it returns at once for other ones."""
    if event == "socket.connect":
        rule = _rule.get()
        if rule is not None and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            _judge_connection(rule, *arguments[1][:2])
    elif event == "subprocess.Popen" and _rule.get() is not None:
        _judge_program(*arguments[:2])


def _judge_connection(rule: _Rule, host: str, port: int) -> None:
    address = _address(host)
    # A host name is refused, too: its address is not known here.
    if address is None or not _permits(rule, address, port):
        raise _Refused(host)


def _permits(rule: _Rule, address: Address, port: int) -> bool:
    return (
        is_public(address)
        or address in _addresses_of(rule.named)
        or any(port == at and address in _addresses_of(proxy) for proxy, at in rule.proxies)
    )


def _judge_program(program: str, arguments: list[Any]) -> None:
    for argument in arguments:
        if url := re.search(r"\w+://.*", str(argument)):
            raise _Refused(f"{PurePath(str(program)).name}, which connects by itself, for {_host_of(url[0])}")


@cache
def _install_hook() -> None:
    """Once per process, at the first block: a hook cannot be removed."""
    sys.addaudithook(_audit)


# --- hosts and their addresses -------------------------------------------------------------------------------------------


def _may_lead_anywhere(source: Source) -> bool:
    return source.allow_private or read_settings().allow_private_addresses


def _proxies_of(source: Source) -> frozenset[tuple[str, int]]:
    """Host and port of the source's proxy, or of those in the environment."""
    if source.proxy is not None:
        urls = [source.proxy]
    else:
        urls = [url for scheme, url in urllib.request.getproxies().items() if scheme != "no"]
    return frozenset(endpoint for url in urls if (endpoint := _endpoint(url)))


def _endpoint(proxy: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return (parts.hostname, parts.port or _PROXY_PORTS.get(parts.scheme, _SOCKS_PORT)) if parts.hostname else None
    except ValueError:
        return None


def _host_of(url: str) -> str | None:
    """The host in lower case; None for anything that is not a URL."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _addresses_of(host: str | None, literally: bool = False) -> frozenset[Address]:
    """The addresses that the host resolves to, if any. `literally`: only parse a literal address, in whatever notation."""
    if host is None:
        return frozenset()
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3: loopback, never resolved
        return frozenset((IPv4Address("127.0.0.1"), IPv6Address("::1")))
    try:
        resolved = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST if literally else 0)
    except (OSError, ValueError):  # ValueError: not a valid name at all
        return frozenset()
    return frozenset(address for *_, at in resolved if (address := _address(at[0])) is not None)


def _address(text: str | int) -> Address | None:
    try:
        return _unmapped(ip_address(str(text).partition("%")[0]))
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    """The IPv4 address if this is one written as IPv6 (::ffff:a.b.c.d), else the address itself."""
    return getattr(address, "ipv4_mapped", None) or address
