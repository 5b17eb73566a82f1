"""Where a source may lead: the real yt-dlp between real servers on two loopback addresses.

127.0.0.1 is the host that the user names, 127.0.0.2 another machine of the same network. Public addresses are passed to the
audit hook through `sys.audit`, without a connection.
"""

import functools
import http.client
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import DownloadError, ExtractorError, YoutubeDLError

from earshot.common.errors import AddressRefused
from earshot.config.sources_file import Kind, Source
from earshot.sources.net.session import session
from earshot.sources.net.ssrf_guard import REMEDY, find_refusal, is_public, refuse_private, restrict_connections

NAMED, OTHER = "127.0.0.1", "127.0.0.2"
PUBLIC = "93.184.216.34"
PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.0.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::1", "2002:c0a8:101::1", "2001::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1",
    "100::1", "4000::1",
]  # fmt: skip
GLOBAL = ["8.8.8.8", PUBLIC, "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@dataclass
class Site:
    """One server: `pages` are bodies, `moves` redirects, both by path; `asked` are requested paths, `callers` client ports."""

    host: str
    url: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    moves: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    callers: set[int] = field(default_factory=set)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def __init__(self, site: Site, *connection: Any) -> None:
        self.site = site
        super().__init__(*connection)

    def do_GET(self) -> None:
        self.site.asked.append(self.path)
        self.site.callers.add(self.client_address[1])
        to = self.site.moves.get(self.path)
        body = self.site.pages.get(self.path, b"")
        self.send_response(302 if to else 200 if body else 404)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Type", "audio/mpeg" if self.path.endswith(".mp3") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def site_at(host: str) -> Iterator[Site]:
    site = Site(host)
    server = ThreadingHTTPServer((host, 0), functools.partial(_Handler, site))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    site.url = f"http://{host}:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.delenv("EARSHOT_ALLOW_PRIVATE_ADDRESSES", raising=False)
    resolving(monkeypatch)  # asks no real name server


@pytest.fixture
def named() -> Iterator[Site]:
    with site_at(NAMED) as site:
        site.pages["/feed.xml"] = b"a feed"
        yield site


@pytest.fixture
def other() -> Iterator[Site]:
    with site_at(OTHER) as site:
        site.pages["/talk.mp3"] = b"ID3" + bytes(5000)
        yield site


def feed_at(address: str, **options: Any) -> Source:
    return Source(Kind.FEED, address, "A feed", **options)


PUBLIC_FEED = feed_at("https://podcasts.example/feed.xml")


def read(source: Source, url: str) -> bytes:
    with session(source) as downloader:
        return downloader.urlopen(url).read()


def connects(source: Source, host: str, port: int = 443) -> bool:
    """Whether the hook allows a connection to this address; none is made."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with restrict_connections(source), socket.socket(family) as connection:
        try:
            sys.audit("socket.connect", connection, (host, port))
        except PermissionError as error:
            return find_refusal(error) != host
        return True


def resolving(monkeypatch: pytest.MonkeyPatch, **names: tuple[str, ...]) -> list[str]:
    """Make these names (`_` for `.`) resolve to these addresses, others to none. Returns the list of names looked up."""
    real, looked_up = socket.getaddrinfo, []

    def lookup(host: str, port: Any, *rest: Any, **options: Any) -> Any:
        try:
            return real(host, port, *rest, **{**options, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            if options.get("flags") == socket.AI_NUMERICHOST:
                raise
        looked_up.append(host)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [info for address in known[host] for info in real(address, port, *rest, **options)]

    known = {name.replace("_", "."): addresses for name, addresses in names.items()}
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return looked_up


# --- connections through yt-dlp ------------------------------------------------------------------------------------------


def test_named_host_is_reached_at_any_port(named: Site) -> None:
    with site_at(NAMED) as second:
        second.pages["/talk.mp3"] = b"sound"
        source = feed_at(f"{named.url}/feed.xml")
        assert read(source, source.address) == b"a feed"
        assert read(source, f"{second.url}/talk.mp3") == b"sound"


def test_redirect_to_private_address_is_refused_before_any_request(named: Site, other: Site) -> None:
    named.moves["/moved"] = f"{other.url}/talk.mp3"
    with pytest.raises(TransportError) as caught:
        read(feed_at(f"{named.url}/feed.xml"), f"{named.url}/moved")
    assert find_refusal(caught.value) == OTHER
    assert named.asked == ["/moved"]
    assert other.asked == []


def test_allow_private_permits_redirect(named: Site, other: Site) -> None:
    named.moves["/moved"] = f"{other.url}/talk.mp3"
    source = feed_at(f"{named.url}/feed.xml", allow_private=True)
    assert read(source, f"{named.url}/moved") == other.pages["/talk.mp3"]


def test_environment_variable_allows_private_addresses(named: Site, other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    named.moves["/moved"] = f"{other.url}/talk.mp3"
    source = feed_at(f"{named.url}/feed.xml")
    monkeypatch.setenv("EARSHOT_ALLOW_PRIVATE_ADDRESSES", "1")
    assert read(source, f"{named.url}/moved") == other.pages["/talk.mp3"]
    assert connects(PUBLIC_FEED, "10.0.0.1")
    monkeypatch.setenv("EARSHOT_ALLOW_PRIVATE_ADDRESSES", "0")
    assert not connects(PUBLIC_FEED, "10.0.0.1")


@pytest.mark.parametrize("download", [False, True])
def test_media_at_private_address_is_refused(named: Site, other: Site, tmp_path: Path, download: bool) -> None:
    source = feed_at(f"{named.url}/feed.xml")
    options = {"outtmpl": {"default": str(tmp_path / "talk.%(ext)s")}, "retries": 1}
    with session(source, **options) as downloader, pytest.raises(YoutubeDLError) as caught:
        downloader.extract_info(f"{other.url}/talk.mp3", download=download)
    assert find_refusal(caught.value) == OTHER
    assert other.asked == []


def test_media_redirected_after_extraction_is_refused(named: Site, other: Site, tmp_path: Path) -> None:
    """After its last try yt-dlp drops the exceptions and keeps their messages alone."""
    named.pages["/talk.mp3"] = other.pages["/talk.mp3"]
    source = feed_at(f"{named.url}/feed.xml")
    options = {"outtmpl": {"default": str(tmp_path / "talk.%(ext)s")}, "retries": 1}
    with session(source, **options) as downloader:
        info: Any = downloader.extract_info(f"{named.url}/talk.mp3", download=False)
        named.moves["/talk.mp3"] = f"{other.url}/talk.mp3"
        with pytest.raises(YoutubeDLError) as caught:
            downloader.process_info(info)
    assert find_refusal(caught.value) == OTHER
    assert other.asked == []
    assert list(tmp_path.iterdir()) == []


def test_stream_with_private_fragments_is_refused(named: Site, other: Site, tmp_path: Path) -> None:
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other.url}/talk.mp3\n#EXT-X-ENDLIST\n"
    named.pages["/talk.m3u8"] = playlist.encode()
    template = {"default": str(tmp_path / "talk.%(ext)s")}
    options = {"outtmpl": template, "fragment_retries": 0, "skip_unavailable_fragments": False}
    with session(feed_at(f"{named.url}/feed.xml"), **options) as downloader, pytest.raises(YoutubeDLError) as caught:
        downloader.extract_info(f"{named.url}/talk.m3u8", download=True)
    assert find_refusal(caught.value) == OTHER
    assert other.asked == []


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/hostname", "data:text/plain,hello"])
def test_redirect_to_another_scheme_is_not_followed(named: Site, target: str) -> None:
    named.moves["/moved"] = target
    with pytest.raises(YoutubeDLError):
        read(feed_at(f"{named.url}/feed.xml"), f"{named.url}/moved")


def test_kept_connection_is_reused_for_its_address_alone(named: Site, other: Site) -> None:
    source = feed_at(f"{named.url}/feed.xml")
    named.moves["/moved"] = f"{other.url}/talk.mp3"
    assert read(source, source.address) == read(source, source.address) == b"a feed"
    with pytest.raises(TransportError):
        read(source, f"{named.url}/moved")
    assert len(named.callers) == 1


def test_sources_share_no_connections(named: Site, other: Site) -> None:
    free = feed_at(f"{named.url}/free.xml", allow_private=True)
    assert read(free, f"{other.url}/talk.mp3") == other.pages["/talk.mp3"]
    with pytest.raises(TransportError) as caught:
        read(feed_at(f"{named.url}/feed.xml"), f"{other.url}/talk.mp3")
    assert find_refusal(caught.value) == OTHER
    assert len(other.asked) == 1


# --- names ---------------------------------------------------------------------------------------------------------------


def test_name_rebound_after_the_check_is_refused(other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    url = other.url.replace(OTHER, "cdn.example") + "/talk.mp3"
    resolving(monkeypatch, cdn_example=(PUBLIC,))
    refuse_private(url, PUBLIC_FEED)
    resolving(monkeypatch, cdn_example=(OTHER,))
    with pytest.raises(TransportError) as caught:
        read(PUBLIC_FEED, url)
    assert find_refusal(caught.value) == OTHER
    assert other.asked == []


def test_named_host_may_be_private(named: Site, other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, nas_example=(NAMED,))
    source = feed_at(named.url.replace(NAMED, "NAS.example") + "/feed.xml")
    assert read(source, source.address) == b"a feed"
    assert read(source, f"{named.url}/feed.xml") == b"a feed"
    with pytest.raises(TransportError):
        read(source, f"{other.url}/talk.mp3")


def test_connection_to_unresolved_name_is_refused() -> None:
    assert not connects(PUBLIC_FEED, "podcasts.example")
    assert not connects(feed_at("http://localhost/feed.xml"), "localhost")


# --- the hook ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", PRIVATE)
def test_private_address_is_refused(host: str) -> None:
    assert not is_public(ip_address(host))
    assert not connects(PUBLIC_FEED, host)


@pytest.mark.parametrize("host", GLOBAL)
def test_public_address_is_allowed(host: str) -> None:
    assert is_public(ip_address(host))
    assert connects(PUBLIC_FEED, host)


def test_scope_id_is_ignored() -> None:
    assert not connects(PUBLIC_FEED, "fe80::1%eth0")
    assert not connects(PUBLIC_FEED, "::1%1")
    assert connects(feed_at("http://[fe80::1]/feed.xml"), "fe80::1%eth0")


@given(st.ip_addresses())
def test_public_address_is_global(address: IPv4Address | IPv6Address) -> None:
    embedded = address.sixtofour if isinstance(address, IPv6Address) else None
    assert not is_public(address) or (embedded or address).is_global


@given(st.ip_addresses(v=4))
def test_embedded_ipv4_address_is_judged_as_itself(address: IPv4Address) -> None:
    number = int(address)
    forms = [(0xFFFF << 32) | number, int(IPv6Address("64:ff9b::")) | number, int(IPv6Address("2002::")) | number << 80]
    assert [is_public(IPv6Address(form)) for form in forms] == [is_public(address)] * 3


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(1, 65535))
def test_named_private_host_allows_itself_alone(address: IPv4Address, port: int) -> None:
    source = feed_at(f"http://{address}:1234/feed.xml")
    assert connects(source, str(address), port)
    assert connects(source, f"::ffff:{address}", port)
    assert not connects(source, str(IPv4Address(int(address) ^ 1)), port)


def test_local_source_allows_public_addresses_alone() -> None:
    source = Source(Kind.FOLDER, "/srv/recordings", "Recordings")
    assert connects(source, PUBLIC)
    assert not connects(source, NAMED)


def test_invalid_url_names_no_host() -> None:
    assert not connects(feed_at("http://[127.0.0.1/feed.xml"), NAMED)


def test_restriction_ends_with_its_block(named: Site) -> None:
    def fetch() -> int:
        return urllib.request.urlopen(f"{named.url}/feed.xml").status

    assert fetch() == 200
    with pytest.raises(ZeroDivisionError), restrict_connections(PUBLIC_FEED):
        raise ZeroDivisionError
    assert fetch() == 200
    with restrict_connections(PUBLIC_FEED), pytest.raises(OSError, match="refused") as caught:
        fetch()
    assert find_refusal(caught.value) == NAMED
    assert fetch() == 200


def test_other_threads_are_not_restricted(named: Site) -> None:
    bodies = []

    def fetch() -> None:
        bodies.append(urllib.request.urlopen(f"{named.url}/feed.xml").read())

    with restrict_connections(PUBLIC_FEED):
        thread = threading.Thread(target=fetch)
        thread.start()
        thread.join()
    assert bodies == [b"a feed"]


def test_inner_restriction_counts(named: Site) -> None:
    source = feed_at(f"{named.url}/feed.xml")
    with restrict_connections(source):
        assert not connects(PUBLIC_FEED, NAMED)
        assert connects(feed_at("https://podcasts.example/", allow_private=True), OTHER)
        with pytest.raises(PermissionError), socket.socket() as connection:
            connection.connect((OTHER, 80))
        with socket.create_connection((NAMED, int(named.url.rpartition(":")[2]))):
            pass


def test_every_way_of_connecting_is_restricted(other: Site) -> None:
    port = int(other.url.rpartition(":")[2])
    with restrict_connections(PUBLIC_FEED):
        with socket.socket() as connection, pytest.raises(PermissionError):
            connection.connect_ex((OTHER, port))
        with pytest.raises(PermissionError):
            socket.create_connection((OTHER, port))
        with pytest.raises(PermissionError):
            http.client.HTTPSConnection(OTHER, port, context=ssl.create_default_context()).connect()
        with socket.socket(socket.AF_INET6) as connection, pytest.raises(PermissionError):
            connection.connect((f"::ffff:{OTHER}", port))


def test_unix_sockets_are_allowed(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connection:
        listening.bind(path)
        listening.listen()
        with restrict_connections(PUBLIC_FEED):
            connection.connect(path)
        assert connection.getpeername() == path


def test_program_that_fetches_a_url_is_not_started(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    command = [str(program), "-i", "https://cdn.example/live.m3u8?token=x"]
    with restrict_connections(PUBLIC_FEED):
        with pytest.raises(PermissionError) as caught:
            subprocess.run(command, check=True)
        assert find_refusal(caught.value) == "ffmpeg, which connects by itself, for cdn.example"
        assert not ran.exists()
        subprocess.run([program, "-i", "talk.mp3"], check=True)
        assert ran.exists()
    ran.unlink()
    subprocess.run(command, check=True)
    assert ran.exists()


# --- proxies -------------------------------------------------------------------------------------------------------------


def test_private_proxy_is_reached(other: Site) -> None:
    other.pages["http://podcasts.example/feed.xml"] = b"through the proxy"
    source = feed_at("http://podcasts.example/feed.xml", proxy=other.url)
    assert read(source, source.address) == b"through the proxy"


def test_proxy_of_environment_is_reached(other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other.pages["http://podcasts.example/feed.xml"] = b"through the proxy"
    monkeypatch.setenv("http_proxy", other.url.removeprefix("http://"))
    # A session keeps the proxies that it found when it was opened.
    source = feed_at("http://podcasts.example/feed.xml?environment")
    assert read(source, "http://podcasts.example/feed.xml") == b"through the proxy"
    assert not connects(feed_at(source.address, proxy="http://10.0.0.1:3128"), OTHER, int(other.url.rpartition(":")[2]))


@pytest.mark.parametrize(
    ("proxy", "port"),
    [
        ("http://10.0.0.1", 80),
        ("https://10.0.0.1", 443),
        ("socks5://user:secret@10.0.0.1", 1080),
        ("socks4://10.0.0.1:9050", 9050),
    ],
)
def test_proxy_is_reached_at_its_port_alone(proxy: str, port: int) -> None:
    source = feed_at("https://podcasts.example/", proxy=proxy)
    assert connects(source, "10.0.0.1", port)
    assert not connects(source, "10.0.0.1", port + 1)
    assert not connects(source, "10.0.0.2", port)


@pytest.mark.parametrize("proxy", ["", "http://", "http://10.0.0.1:eighty", "http://[10.0.0.1"])
def test_invalid_proxy_allows_nothing(proxy: str) -> None:
    assert not connects(feed_at("https://podcasts.example/", proxy=proxy), "10.0.0.1", 80)


# --- before any request --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/hostname", "ftp://example.org/a.mp3", "rtmp://example.org/a", "/etc/hostname", "talk.mp3", "",
        "http:///talk.mp3", "https://", "http://[::1/talk.mp3", "http:talk.mp3", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_other_schemes_are_refused(url: str) -> None:
    for source in (PUBLIC_FEED, feed_at("http://127.0.0.1/", allow_private=True)):
        with pytest.raises(AddressRefused, match="only http and https"):
            refuse_private(url, source)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2", "127.1", "0x7f.1", "2130706434", "017700000002", "127.0.0.2.", "localhost", "LOCALHOST.", "a.localhost",
        "[::1]", "[::ffff:7f00:2]", "192.168.0.1", "169.254.169.254", "0", "\uff11\uff12\uff17.0.0.2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("proxy", [None, "socks5://10.0.0.1"])
def test_private_address_is_refused_in_any_notation(host: str, proxy: str | None) -> None:
    with pytest.raises(AddressRefused, match="leads to"):
        refuse_private(f"http://{host}:8080/talk.mp3", feed_at(PUBLIC_FEED.address, proxy=proxy))


def test_refusal_names_address_and_no_secret() -> None:
    with pytest.raises(AddressRefused) as caught:
        refuse_private("HTTP://me:secret@10.0.0.1/talk.mp3?token=secret", PUBLIC_FEED)
    assert "HTTP://10.0.0.1/talk.mp3?token=… leads to 10.0.0.1" in caught.value.message
    assert "secret" not in str(caught.value)
    assert caught.value.remedy == REMEDY


def test_name_is_refused_if_all_its_addresses_are_private(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, inside_example=("10.0.0.1", "fd00::1"), both_example=("10.0.0.1", PUBLIC), out_example=(PUBLIC,))
    with pytest.raises(AddressRefused, match=r"leads to 10\.0\.0\.1,"):
        refuse_private("https://inside.example/talk.mp3", PUBLIC_FEED)
    refuse_private("https://both.example/talk.mp3", PUBLIC_FEED)
    refuse_private("https://out.example/talk.mp3", PUBLIC_FEED)
    refuse_private("https://nowhere.example/talk.mp3", PUBLIC_FEED)
    refuse_private(f"https://{'long' * 20}.example/talk.mp3", PUBLIC_FEED)


def test_names_are_not_resolved_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = resolving(monkeypatch, inside_example=("10.0.0.1",))
    refuse_private("https://inside.example/talk.mp3", feed_at(PUBLIC_FEED.address, proxy="socks5h://127.0.0.1:9050"))
    assert looked_up == []
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    refuse_private("https://inside.example/talk.mp3", PUBLIC_FEED)
    assert looked_up == []


def test_entries_at_named_host_or_with_allow_private_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = resolving(monkeypatch, nas_example=("192.168.1.5",))
    named = feed_at("http://nas.example:8000/feed.xml")
    refuse_private("https://NAS.example/talk.mp3", named)
    assert looked_up == []
    refuse_private("http://192.168.1.5/talk.mp3", named)
    with pytest.raises(AddressRefused):
        refuse_private("http://192.168.1.6/talk.mp3", named)
    refuse_private("http://192.168.1.6/talk.mp3", feed_at(named.address, allow_private=True))
    monkeypatch.setenv("EARSHOT_ALLOW_PRIVATE_ADDRESSES", "1")
    refuse_private("http://192.168.1.6/talk.mp3", named)


def test_refusal_is_found_in_wrapping_errors() -> None:
    with restrict_connections(PUBLIC_FEED), pytest.raises(PermissionError) as caught:
        socket.create_connection((OTHER, 80))
    unread = ExtractorError("Unable to read this page", cause=TransportError("Lost", cause=caught.value))
    error = DownloadError("Nothing came", exc_info=(type(unread), unread, caught.tb))
    assert OTHER not in f"{error} {unread.__cause__}"
    assert find_refusal(error) == OTHER


def test_other_error_is_no_refusal() -> None:
    assert find_refusal(ConnectionRefusedError(111, "Connection refused")) is None
    assert find_refusal(YoutubeDLError("HTTP Error 403: Forbidden")) is None
    looped = ValueError("round and round")
    looped.__cause__ = ValueError("again")
    looped.__cause__.__cause__ = looped
    assert find_refusal(looped) is None
