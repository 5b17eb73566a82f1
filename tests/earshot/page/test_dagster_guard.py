"""Dagster's UI behind the page's rules: a stand-in for Dagster, which tests/end_to_end/test_up.py asks for real."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from earshot.page.http.access import COOKIE, Access, access_to
from earshot.page.http.dagster_guard import DagsterGuard

TOKEN = "correct horse battery staple"
LOCAL = "http://127.0.0.1:3000"
MUTATION = "/graphql?query=mutation{wipe}"


async def _answer(_request: object) -> PlainTextResponse:
    return PlainTextResponse("Dagster's answer")


async def _subscribe(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("an event")
    await websocket.close()


def ui(access: Access, url: str) -> TestClient:
    routes = [
        WebSocketRoute("/graphql", _subscribe),
        Route("/{path:path}", _answer, methods=["GET", "POST"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(DagsterGuard, access=access)])
    return TestClient(app, base_url=url, follow_redirects=False)


@pytest.fixture
def local() -> TestClient:
    return ui(Access(), LOCAL)


@pytest.fixture
def opened() -> TestClient:
    return ui(access_to("0.0.0.0", ["earshot.example"], TOKEN), "http://earshot.example:3000")


def test_own_page_and_programs_are_answered(local: TestClient) -> None:
    assert local.get("/runs").text == "Dagster's answer"
    assert local.post("/graphql", json={"query": "{ x }"}).status_code == 200
    assert local.post("/graphql", json={}, headers={"Origin": LOCAL, "Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [{"Origin": "http://other.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_site_cannot_send_a_mutation(local: TestClient, method: str, headers: dict[str, str]) -> None:
    assert local.request(method, MUTATION, headers=headers).status_code == 403


def test_other_site_may_link_to_a_page_of_dagster(local: TestClient) -> None:
    assert local.get("/runs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info"])
def test_other_host_is_refused(local: TestClient, path: str) -> None:
    assert local.get(path, headers={"Host": "rebound.example"}).status_code == 421


def test_websocket_of_own_page_is_accepted(local: TestClient) -> None:
    with local.websocket_connect("/graphql", headers={"Host": "127.0.0.1:3000", "Origin": LOCAL}) as websocket:
        assert websocket.receive_text() == "an event"


@pytest.mark.parametrize("headers", [{"Origin": "http://other.example"}, {"Host": "rebound.example"}])
def test_websocket_of_other_site_is_refused(local: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), local.websocket_connect("/graphql", headers={"Host": "127.0.0.1:3000", **headers}):
        pass


def test_other_machines_need_the_token(opened: TestClient) -> None:
    refused = opened.get("/runs")
    assert (refused.status_code, refused.json()["title"]) == (401, "The token is missing or wrong.")
    with pytest.raises(WebSocketDisconnect), opened.websocket_connect("/graphql", headers={"Host": "earshot.example:3000"}):
        pass
    assert opened.get("/server_info").status_code == 200


def test_cookie_of_the_page_or_bearer_opens_it(opened: TestClient) -> None:
    assert opened.get("/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    opened.cookies.set(COOKIE, TOKEN)
    assert opened.get("/runs").status_code == 200
