"""Where a source may lead: to public addresses, to the host that the user named, and through its proxy.

What a feed or a page leads to is chosen by others: its entries, its redirects, what their names resolve to. So that none of
it reaches this machine's own network, `restrict_connections()` judges every connection of its block and thread where it is
made, by the address it is made to (a hook on CPython's audit event `socket.connect`): redirects, media, and names that resolve
to one address when looked at and to another when used, are all covered. A program that would fetch a URL by itself (yt-dlp
hands some streams to ffmpeg) cannot be judged so, and is not started. `refuse_private()` refuses an entry before anything is
asked of it; `find_refusal()` finds a refusal in what a library made of it.

A source with `allow_private: true`, and any while EARSHOT_ALLOW_PRIVATE_ADDRESSES is 1, may lead anywhere.

Not covered: threads started inside the block (yt-dlp starts some for fragments only with `concurrent_fragment_downloads`
over 1, which nothing here sets); where a proxy goes; a named host whose name resolves to a private address, which is taken
as meant. A connection kept open is used again without a second look: it belongs to one source's session
(earshot/sources/net/session.py), whose rule stays.
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

# IANA, IPv6 address space: all of it that is handed out for the internet.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052, section 2.1: an IPv4 address in its last 32 bits, as networks with IPv6 alone reach the rest.
_NAT64 = IPv6Network("64:ff9b::/96")
# What yt-dlp and the libraries below it take where a proxy's URL has no port.
_PROXY_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class _Rule:
    """What may be connected to besides public addresses: a host at any port, proxies at theirs."""

    named: str | None
    proxies: frozenset[tuple[str, int]]


class _Refused(PermissionError):
    """What the hook raises: an OSError, so that libraries treat it as any connection that fails."""

    def __init__(self, target: str) -> None:
        super().__init__(f"<refused: {target}>")


_rule: ContextVar[_Rule | None] = ContextVar("earshot_address_rule", default=None)


@contextmanager
def restrict_connections(source: Source) -> Iterator[None]:
    """For the block, in this thread: only addresses that this source may lead to are connected to.

    Blocks may lie in each other; the inner source counts. A generator that is left waiting inside the block leaves the
    rule on for whoever reads it. Raises Misconfigured where a setting is not one of those allowed.
    """
    _install_hook()
    rule = None if _may_lead_anywhere(source) else _Rule(_host_of(source.address), _proxies_of(source))
    token = _rule.set(rule)
    try:
        yield
    finally:
        _rule.reset(token)


def refuse_private(url: str, source: Source) -> None:
    """Raises AddressRefused where this URL leads to an address that the source may not lead to, or is not http or https.

    A name is refused where all that it resolves to is; one that does not resolve fails by itself when it is connected to.
    Behind a proxy names are not looked up here: only addresses written out, and localhost, are judged.
    """
    host = _host_of(url)
    if host is None or not url.lower().startswith(("http://", "https://")):
        raise AddressRefused(
            f"{without_secrets(url)}: only http and https URLs are fetched.",
            "A local file is a source of its own, named by its path without file://.",
        )
    named = _host_of(source.address)
    if _may_lead_anywhere(source) or host == named:
        return
    literally = bool(_proxies_of(source))
    found = _addresses_of(host, literally)
    if found and not any(is_public(address) for address in found) and not found & _addresses_of(named, literally):
        raise address_refused(url, str(min(found, key=str)))


def address_refused(url: str, target: str) -> AddressRefused:
    """The error for a URL that led to this target, as `find_refusal()` gives it."""
    return AddressRefused(
        f"{without_secrets(url)} leads to {target}, and its source may only lead to public addresses and its own host.", REMEDY
    )


def find_refusal(error: BaseException) -> str | None:
    """What the hook refused, where that is what this error comes from: an address, or a program and the host it would ask.

    Read from the words of the error and of all that it wraps: yt-dlp drops the exceptions themselves when it gives up
    after its last try, and keeps their words.
    """
    told = (re.search(r"<refused: ([^>]+)>", str(found)) for found in error_chain(error))
    return next((words[1] for words in told if words), None)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet would reach the same machine at this address."""
    address = _unmapped(address)
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None and not is_public(address.sixtofour):
        return False
    return address.is_global and address in _GLOBAL_UNICAST


# --- where connections are made ------------------------------------------------------------------------------------------


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. It sees all that this process does, so whatever else happens is let go at once."""
    if event == "socket.connect":
        rule = _rule.get()
        if rule is not None and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            _judge_connection(rule, *arguments[1][:2])
    elif event == "subprocess.Popen" and _rule.get() is not None:
        _judge_program(*arguments[:2])


def _judge_connection(rule: _Rule, host: str, port: int) -> None:
    address = _address(host)
    # A name is refused as well: what it led to could not be seen here.
    if address is None or not _permits(rule, address, port):
        raise _Refused(host)


def _permits(rule: _Rule, address: Address, port: int) -> bool:
    return (
        is_public(address)
        or address in _addresses_of(rule.named)
        or any(port == at and address in _addresses_of(proxy) for proxy, at in rule.proxies)
    )


def _judge_program(program: str, words: list[Any]) -> None:
    for word in words:
        if url := re.search(r"\w+://.*", str(word)):
            raise _Refused(f"{PurePath(str(program)).name}, which connects by itself, for {_host_of(url[0])}")


@cache
def _install_hook() -> None:
    """Once per process, at the first block: a hook cannot be taken back."""
    sys.addaudithook(_audit)


# --- hosts and their addresses -------------------------------------------------------------------------------------------


def _may_lead_anywhere(source: Source) -> bool:
    return source.allow_private or read_settings().allow_private_addresses


def _proxies_of(source: Source) -> frozenset[tuple[str, int]]:
    """Host and port of what the source's requests go through: its own proxy, else those of the environment."""
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
    """The host in lower case; None for a path, and for what is not a URL."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _addresses_of(host: str | None, literally: bool = False) -> frozenset[Address]:
    """What the host resolves to: none where it does not. `literally`: nothing is looked up, whatever way it is written."""
    if host is None:
        return frozenset()
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3: loopback, not to be looked up
        return frozenset((IPv4Address("127.0.0.1"), IPv6Address("::1")))
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST if literally else 0)
    except (OSError, ValueError):  # ValueError: what cannot be a name at all
        return frozenset()
    return frozenset(address for *_, at in found if (address := _address(at[0])) is not None)


def _address(text: str | int) -> Address | None:
    try:
        return _unmapped(ip_address(str(text).partition("%")[0]))
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    """An IPv4 address written as IPv6 (::ffff:a.b.c.d) is the same address."""
    return getattr(address, "ipv4_mapped", None) or address
