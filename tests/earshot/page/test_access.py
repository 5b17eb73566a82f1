"""Who may ask: hosts, origins, the token, and the headers of every answer."""

import json
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from earshot import Library
from earshot.page.app import create_app
from earshot.page.http.access import HEADERS, Access, access_to
from earshot.page.serving import server_options
from earshot.storage.database import Database
from tests.earshot.page.conftest import SITE, serving_page

TOKEN = "correct horse battery staple"


@pytest.fixture
def guarded(database: Database) -> TestClient:
    assert database
    app = create_app(Library(), access_to("0.0.0.0", ["earshot.example"], TOKEN))
    return TestClient(app, base_url="http://earshot.example:3001", follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:3001", "localhost", "[::1]:3001", "LOCALHOST:80"])
def test_host_of_this_machine_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/search", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example", "127.0.0.1.rebound.example", "127.0.0.1@rebound.example", "", "[::1", "::1"]
)
@pytest.mark.parametrize("path", ["/", "/api/v1/search?q=x", "/static/style.css"])
def test_any_other_host_is_refused(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")


@pytest.mark.parametrize("address", ["/videos/call%00", "/search?q=%00", "/api/v1/videos/call%00/audio"])
def test_nul_in_an_address_is_refused(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://other.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_site_cannot_change_anything(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/login", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}])
def test_own_page_and_programs_may_change(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/login", json={}, headers=headers).status_code == 422


def test_every_answer_keeps_the_browser_from_loading_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/api/v1/search?q=x", "/static/style.css", "/absent", "/api/v1/absent"):
        assert HEADERS.items() <= dict(client.get(path).headers.items()).items() or all(
            client.get(path).headers[name] == value for name, value in HEADERS.items()
        )
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_without_token_nothing_is_shown(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/search?q=x").status_code == 401
    asked = guarded.get("/search?q=x")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fsearch%3Fq%3Dx")
    assert guarded.get("/login").status_code == 200


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer {TOKEN}"])
def test_bearer_token_opens_the_api(guarded: TestClient, authorization: str) -> None:
    assert guarded.get("/search", headers={"Authorization": authorization}).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"])
def test_wrong_token_is_refused(guarded: TestClient, authorization: str) -> None:
    answer = guarded.get("/api/v1/search?q=x", headers={b"Authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401


def test_login_keeps_the_token_where_scripts_cannot_read_it(guarded: TestClient) -> None:
    assert guarded.post("/login", json={"token": "guess"}).status_code == 401
    cookie = guarded.post("/login", json={"token": TOKEN}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get("/search").status_code == 200


@pytest.mark.parametrize(("proxies", "secure"), [(["127.0.0.0/8"], True), (["10.0.0.1", "::1"], False)])
def test_cookie_is_secure_if_a_known_proxy_says_https(database: Database, proxies: list[str], secure: bool) -> None:
    assert database
    with serving_page(Library(), Access(token=TOKEN), **server_options(proxies)) as url:
        headers = {"X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        request = Request(f"{url}/login", json.dumps({"token": TOKEN}).encode(), headers)
        with urlopen(request) as answer:
            assert ("secure" in answer.headers["Set-Cookie"].lower()) is secure


def test_addresses_name_a_server_that_has_a_token(guarded: TestClient) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for host, status in (("192.168.1.5:3001", 200), ("[2001:db8::1]", 200), ("other.example", 421)):
        assert guarded.get("/search", headers={**headers, "Host": host}).status_code == status


def test_without_token_none_is_accepted() -> None:
    assert not Access().accepts("")
