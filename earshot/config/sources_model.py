"""The models of sources.yaml: its keys, their values, and the rules between them.

`read_sources()` imports this module late, because loading pydantic takes a while (earshot/config/yaml_model.py).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from earshot.common.redaction import without_secrets
from earshot.config import hints
from earshot.config import source_options as read
from earshot.config.mistakes import quoted
from earshot.config.yaml_model import YamlFile, YamlModel, of_path, of_text, of_words, or_empty, refusal

SOURCES = "a list of sources, such as `- channel: https://...`; docs/reference/sources-file.md shows all."
LANGUAGE = f"a code of whisper's: {' '.join(sorted(read.LANGUAGES))}."
RATE = "bytes per second, from 1: a number, or one such as 500K or 2M."
NAME = "some words, at most 100 characters."
PATH = "the path of {}; a relative one starts in the folder of this file."
COOKIES = PATH.format("a file that exists, in Netscape's format")
PROXY = (
    f"scheme://user:password@host:port, the scheme one of {', '.join(read.PROXY_SCHEMES)}; @ / ? # % in a password are "
    "written %40 %2F %3F %23 %25."
)


def _takes(allowed: str, **limits: Any) -> Any:
    return Field(description=allowed, **limits)


def _whole(lowest: int, highest: int) -> Any:
    return Field(ge=lowest, le=highest, description=f"a whole number from {lowest} to {highest}.")


def _lasts(key: str, shortest_s: int) -> Any:
    allowed = f"a duration such as 90, 90s, 10m, 1h30m or 1:30:00, from {shortest_s}s to 365d."
    return Field(alias=key, ge=shortest_s, le=365 * read.DAY_S, description=allowed)


def _language(text: str) -> str:
    if (code := text.lower()) in read.LANGUAGES:
        return code
    near = read.suggest_language(text)
    raise refusal(f"language is {quoted(text)}.", f"Did you mean {near}?") if near else ValueError(text)


def _languages(codes: str | list[str]) -> tuple[str, ...]:
    try:
        return hints.parse_languages(codes)
    except ValueError as error:
        raise refusal(*error.args) from None


Web = Annotated[str, AfterValidator(read.web_address), _takes("an http or https URL. A folder is named by `folder`.")]
DURATION = of_text(read.parse_duration)
Truth = Annotated[bool | None, _takes("true or false.")]


class Address(YamlModel):
    """The key for a source's kind, with its address."""

    channel: Web = ""
    playlist: Web = ""
    feed: Web = ""
    folder: Annotated[str, of_path(read.file_path), _takes(PATH.format("a folder"))] = ""
    url: Web = ""


class Anywhere(YamlModel):
    """The options that also apply to folders. Null selects the built-in default."""

    newest_first: Truth = None
    limit: Annotated[int | None, _whole(1, 1_000_000)] = None
    longer_than_s: Annotated[float | None, _lasts("longer_than", 1), DURATION] = None
    shorter_than_s: Annotated[float | None, _lasts("shorter_than", 1), DURATION] = None
    language: Annotated[str | None, _takes(LANGUAGE), of_text(_language)] = None
    vocabulary: Annotated[tuple[str, ...] | None, _takes(hints.VOCABULARY), of_words(hints.parse_vocabulary)] = None
    vocabulary_from: Annotated[tuple[str, ...] | None, _takes(hints.PLACE_LIST), of_words(hints.parse_places)] = None
    prompt: Annotated[str | None, _takes(hints.PROMPT), of_text(hints.parse_prompt)] = None
    languages: Annotated[tuple[str, ...] | None, _takes(hints.LANGUAGE_LIST), of_words(_languages)] = None
    speakers: Annotated[str | None, _takes(hints.SPEAKERS), of_text(hints.parse_speakers)] = None
    priority: Annotated[int | None, _whole(-10, 10)] = None
    every_s: Annotated[float | None, _lasts("every", 10), DURATION] = None
    captions: Truth = None
    keep_days: Annotated[int | None, _whole(1, 36_500)] = None
    keep_videos: Annotated[int | None, _whole(1, 1_000_000)] = None
    keep_audio_days: Annotated[int | None, _whole(1, 36_500)] = None
    keep_corrected: Truth = None
    paused: Truth = None

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        if self.language and self.languages:
            yield "languages", "languages has no effect beside language.", "Keep one of them."
        if self.keep_videos and self.newest_first is False:
            yield "newest_first", "newest_first is false, but keep_videos keeps the newest.", "Leave out one of them."


class Options(Anywhere):
    """The options of `defaults`."""

    model_config = ConfigDict(title="defaults")

    since: Annotated[date | None, of_text(read.parse_date), _takes("a date such as 2024-01-31.")] = None
    skip_shorts: Truth = None
    skip_live: Truth = None
    skip_members_only: Truth = None
    cookies: Annotated[Path | None, of_path(read.cookies_path), _takes(COOKIES)] = None
    proxy: Annotated[str | None, of_text(read.parse_proxy), _takes(PROXY)] = None
    rate: Annotated[int | None, _takes(RATE, ge=1), of_text(read.parse_rate)] = None
    at_once: Annotated[int | None, _whole(1, 8)] = None
    pause_s: Annotated[float | None, _lasts("pause", 0), DURATION] = None
    allow_private: Truth = None


class SourceEntry(Options, Address):
    model_config = ConfigDict(title="a source")

    # Redacted, in case it is the address.
    name: Annotated[str | None, _takes(NAME, pattern=r"^\P{Cc}{1,100}$"), of_text(without_secrets)] = None

    @property
    def kinds(self) -> list[str]:
        """The kinds that are set, even with an invalid address; there should be one."""
        return [kind for kind in Address.model_fields if kind in self.model_fields_set]

    @property
    def address(self) -> str:
        """The address; "" if it is invalid, or if there is not exactly one kind."""
        return getattr(self, self.kinds[0]) if len(self.kinds) == 1 else ""

    def chosen(self, defaults: Options | None) -> dict[str, Any]:
        """The options that are set, by field of `Source`; the source's own override `defaults`."""
        of_folders = set(Anywhere.model_fields) if self.folder else None
        shared = defaults.model_dump(exclude_unset=True, include=of_folders) if defaults else {}
        own = self.model_dump(exclude_unset=True, exclude=set(Address.model_fields))
        for one, other in (("language", "languages"), ("languages", "language")):
            if one in own:
                shared.pop(other, None)
        return {field: value for field, value in {**shared, **own}.items() if value is not None}

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        yield from super().mistakes()
        if len(self.kinds) != 1:
            message = f"a source is {' and '.join(self.kinds)} at once." if self.kinds else "a source has no kind."
            yield "", message, f"Allowed: one of {', '.join(Address.model_fields)}."
        for name in self.model_fields_set & WEB_ONLY.keys() if self.kinds == ["folder"] else ():
            yield WEB_ONLY[name], f"{WEB_ONLY[name]} makes no sense for a folder.", "Leave it out here."


class SourcesFile(YamlModel):
    model_config = ConfigDict(title="the file")

    sources: Annotated[Sequence[SourceEntry], or_empty(()), _takes(SOURCES)] = ()
    defaults: Annotated[Options | None, or_empty(None), _takes("one `option: value` per line below it.")] = None


WEB_ONLY = {name: field.alias or name for name, field in Options.model_fields.items() if name not in Anywhere.model_fields}
SHOWS = {"cookies": read.cookies_shown, "proxy": read.proxy_shown, **dict.fromkeys(Address.model_fields, read.address_shown)}


def read_entries(path: Path, text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, address and chosen options of each source. Raises InvalidConfig with every mistake."""
    file = YamlFile(path, SHOWS)
    content = file.read(SourcesFile, text)
    entries = [(entry, entry.chosen(content.defaults)) for entry in content.sources]
    for entry, chosen in entries:
        chosen.setdefault("name", without_secrets(entry.address))
    _refuse_empty_ranges(file, entries)
    _refuse_repeated(file, entries)
    file.raise_if_any()
    return [(entry.kinds[0], entry.address, chosen) for entry, chosen in entries]


def _refuse_empty_ranges(file: YamlFile, entries: list[tuple[SourceEntry, dict[str, Any]]]) -> None:
    for entry, chosen in entries:
        longer, shorter = chosen.get("longer_than_s", 0.0), chosen.get("shorter_than_s", float("inf"))
        if longer >= shorter:
            message = f"longer_than is {longer:g} s and shorter_than {shorter:g} s, which leaves nothing."
            own = [key for key in ("longer_than", "shorter_than") if f"{key}_s" in entry.model_fields_set]
            file.refuse(entry, min(own, key=entry.line, default=""), message, "Allowed: a longer_than below shorter_than.")


def _refuse_repeated(file: YamlFile, entries: list[tuple[SourceEntry, dict[str, Any]]]) -> None:
    addresses: dict[str, int] = {}
    names: dict[str, int] = {}
    for entry, chosen in entries:
        if not entry.address:
            continue
        kind, address, name = entry.kinds[0], entry.address, chosen["name"]
        if address in addresses:
            message = f"{kind} {quoted(address)} is on line {addresses[address]} already."
            file.refuse(entry, kind, message, "Name each source once.")
        elif name in names:
            message = f"the source on line {names[name]} is called {quoted(name)} already."
            file.refuse(entry, kind, message, "Give one of them another `name`.")
        addresses.setdefault(address, entry.line(kind))
        names.setdefault(name, entry.line(kind))
