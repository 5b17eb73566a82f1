"""The model of webhooks.yaml: its keys, their values, and the rules between them.

`read_endpoints()` imports this module late, because loading pydantic takes a while. Errors show neither secrets nor the tokens
in addresses.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field

from earshot.config.source_options import HIDDEN, address_shown, web_address
from earshot.config.yaml_model import YamlFile, YamlModel, of_text, or_empty, refusal
from earshot.integrations.webhooks.endpoints import ALERTS, EVENTS

SECRET_PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)  # as https://www.standardwebhooks.com asks

ENDPOINTS = "a list of endpoints, such as `- url: https://example.com/hook`; docs/reference/webhooks.md shows all."
URL = "an http or https URL."
SECRET = "whsec_ and then 24 to 64 bytes in base64. To make one: echo whsec_$(openssl rand -base64 32)"
NAME = "a name of at most 60 letters, digits, dots, hyphens and underscores, other than `alerts`."
TYPES = f"a list of {', '.join(EVENTS)}."


def _secret(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise refusal(f"secret is {HIDDEN}.")
    return key


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text) or text == ALERTS:
        raise ValueError(text)
    return text


def _type(text: str) -> str:
    if text not in EVENTS:
        raise ValueError(text)
    return text


class EndpointEntry(YamlModel):
    model_config = ConfigDict(title="an endpoint")

    url: Annotated[str, of_text(web_address), Field(description=URL)] = ""
    secret: Annotated[bytes, of_text(_secret), Field(description=SECRET)] = b""
    name: Annotated[str, of_text(_name), Field(description=NAME)] = ""
    events: Annotated[
        Sequence[Annotated[str, BeforeValidator(lambda node: _type(node.value))]], Field(min_length=1, description=TYPES)
    ] = EVENTS

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        for key, allowed in (("url", URL), ("secret", SECRET)):
            if key not in self.model_fields_set:
                yield "", f"an endpoint has no {key}.", f"Allowed: {allowed}"

    @property
    def called(self) -> str:
        """Its name; by default, the host of its address."""
        return self.name or urlsplit(self.url).hostname or ""


class WebhooksFile(YamlModel):
    model_config = ConfigDict(title="the file")

    webhooks: Annotated[Sequence[EndpointEntry], or_empty(()), Field(description=ENDPOINTS)] = ()


def read_entries(path: Path, text: str) -> list[tuple[str, str, bytes, tuple[str, ...]]]:
    """Each endpoint's name, address, secret and types of events. Raises InvalidConfig with every mistake."""
    file = YamlFile(path, {"url": address_shown, "secret": lambda _: HIDDEN})
    entries = file.read(WebhooksFile, text).webhooks
    _refuse_repeated_names(file, entries)
    file.raise_if_any()
    return [(entry.called, entry.url, entry.secret, tuple(entry.events)) for entry in entries]


def _refuse_repeated_names(file: YamlFile, entries: Sequence[EndpointEntry]) -> None:
    lines: dict[str, int] = {}
    for entry in entries:
        if entry.called in lines and entry.called:
            message = f"the endpoint is called {entry.called!r}, like that on line {lines[entry.called]}."
            file.refuse(entry, "name", message, "Give each endpoint a `name`.")
        lines.setdefault(entry.called, entry.line())
