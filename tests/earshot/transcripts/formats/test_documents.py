"""Notes, documents and tables of any recording are read correctly by other programs.

markdown-it reads Markdown, PyYAML its front matter, python-docx documents, pandas CSV.
"""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
import yaml
from docx import Document
from docx.document import Document as WordDocument
from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from earshot.transcripts.attribution.speaker_names import Names, Speaker
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.formats.speaker_passages import link_to, speaker_passages
from earshot.transcripts.recordings import Recording
from tests.support.videos.export_recordings import VIDEO, anything, export, recording, said_at, small

ANY = settings(deadline=None, max_examples=40)
HOSTILE = " *a* _b_ [c](d) <e> `f` # g == %% $h$ ^i |j| ~~k~~ &amp; \\ !"
SILENT = recording([], [])


def hostile() -> Recording:
    """A recording in which title, name and words are markup."""
    named = Names({"S": Speaker(f"N{HOSTILE}", person=f"N{HOSTILE}")})
    talk = recording([(1.0, 2.0, HOSTILE)], [(0.0, 3.0, "S")], named)
    return replace(talk, video=replace(VIDEO, title=f'T: "{HOSTILE}\n---', published_at=datetime(2026, 1, 5, tzinfo=UTC)))


def words(text: str) -> list[str]:
    return text.split()


# --- md ------------------------------------------------------------------------------------------------------------------


def split_note(note: str) -> tuple[dict[str, object], list[Token]]:
    """The front matter, and the blocks below it as CommonMark with strikethrough and tables."""
    reader = MarkdownIt("gfm-like", {"linkify": False})
    setattr(reader, "validateLink", lambda _: True)  # noqa: B010 - markdown-it refuses links to files
    match = re.fullmatch(r"---\n(.*?\n)---\n(.*)", note, flags=re.DOTALL)
    assert match is not None
    return yaml.safe_load(match[1]), reader.parse(match[2])


def plain(token: Token) -> str:
    """The text of a block, which may have no markup but one link, or all in bold."""
    allowed = {"text", "text_special", "link_open", "link_close", "strong_open", "strong_close"}
    assert {child.type for child in token.children or []} <= allowed
    return "".join(child.content for child in token.children or [])


def test_note_has_facts_speakers_and_links_to_the_second() -> None:
    assert export(small(), "md").splitlines() == [
        "---", "title: A talk", "url: https://x/a.mp3", "source: https://x", "duration: 0:01:30", "language: en", "speakers:",
        "- SPEAKER_00", "- SPEAKER_01", "- Unknown", "video_id: generic-a-1", "---", "", "# A talk", "",
        r"**SPEAKER\_00**", "", r"[0:00:00](https://x/a.mp3#t=0) Is A \< B \& C?", "",
        r"**SPEAKER\_01**", "", "[0:00:03](https://x/a.mp3#t=3) No.", "",
        "**Unknown**", "", "[0:01:00](https://x/a.mp3#t=60) Naïve…",
    ]  # fmt: skip


@ANY
@given(anything())
@example(hostile())
@example(SILENT)
def test_note_reads_as_text(talk: Recording) -> None:
    facts, blocks = split_note(export(talk, "md"))
    assert facts["video_id"] == talk.video.video_id
    assert {block.type for block in blocks} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"
    }  # fmt: skip
    title, *others = [plain(block) for block in blocks if block.type == "inline"]
    assert words(title) == words(str(facts["title"]))
    said = [re.sub(r"^\d+:\d\d:\d\d ?", "", text) for text in others if re.match(r"\d+:\d\d:\d\d( |$)", text)]
    assert words(" ".join(said)) == words(" ".join(passage.text for passage in speaker_passages(talk)))


def test_link_of_a_path_with_brackets_is_one_link() -> None:
    local = replace(VIDEO, url="/home/a/Talk (1) [x].wav")
    _, blocks = split_note(export(replace(small(), video=local), "md"))
    links = [child.attrs["href"] for block in blocks for child in block.children or [] if child.type == "link_open"]
    assert links == [f"file:///home/a/Talk%20%281%29%20%5Bx%5D.wav#t={second}" for second in (0, 3, 60)]


# --- docx ----------------------------------------------------------------------------------------------------------------


def read_document(talk: Recording) -> WordDocument:
    return Document(io.BytesIO(FORMATS["docx"].content(talk)))


def test_document_has_headings_and_linked_times() -> None:
    document = read_document(small())
    paragraphs = [(paragraph.style.name if paragraph.style else "", paragraph.text) for paragraph in document.paragraphs]
    assert paragraphs == [
        ("Title", "A talk"), ("Normal", "https://x/a.mp3"),
        ("Heading 2", "SPEAKER_00"), ("Normal", "0:00:00 Is A < B & C?"),
        ("Heading 2", "SPEAKER_01"), ("Normal", "0:00:03 No."),
        ("Heading 2", "Unknown"), ("Normal", "0:01:00 Naïve…"),
    ]  # fmt: skip
    links = [link.address for paragraph in document.paragraphs for link in paragraph.hyperlinks]
    assert links == ["https://x/a.mp3", *(link_to(VIDEO, second) for second in (0, 3, 60))]


@settings(deadline=None, max_examples=15)
@given(anything())
@example(hostile())
@example(recording([(0.0, 1.0, " a\x00b\x0b\ufffe")], [(0.0, 1.0, "S")], Names({"S": Speaker("\x01c")})))
@example(SILENT)
def test_document_has_every_word(talk: Recording) -> None:
    paragraphs = [paragraph.text for paragraph in read_document(talk).paragraphs if paragraph.hyperlinks][1:]
    said = [text.partition(" ")[2] for text in paragraphs]
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", " ".join(passage.text for passage in speaker_passages(talk)))
    assert words(" ".join(said)) == words(kept)


# --- csv -----------------------------------------------------------------------------------------------------------------


def read_table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def test_csv_has_a_row_per_passage() -> None:
    talk = replace(
        small(), names=Names({"SPEAKER_00": Speaker("Ana", person="Ana"), "SPEAKER_01": Speaker("voice 7", voice=7)})
    )
    assert export(talk, "csv").splitlines() == [
        "video_id,title,date,start_s,end_s,speaker,person,voice,language,text,link",
        "generic-a-1,A talk,,0.500,3.000,Ana,Ana,,en,Is A < B & C?,https://x/a.mp3#t=0",
        "generic-a-1,A talk,,3.500,4.000,voice 7,,7,en,No.,https://x/a.mp3#t=3",
        "generic-a-1,A talk,,60.000,60.500,Unknown,,,en,Naïve…,https://x/a.mp3#t=60",
    ]


@ANY
@given(anything())
@example(hostile())
@example(SILENT)
def test_csv_has_every_word(talk: Recording) -> None:
    table = read_table(export(talk, "csv"))
    passages = speaker_passages(talk)
    assert [words(text.removeprefix("'")) for text in table.text] == [
        words(passage.text.removeprefix("'")) for passage in passages
    ]
    assert (table.video_id == talk.video.video_id).all()


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1"])
def test_no_cell_is_a_formula(formula: str) -> None:
    named = Names({"S": Speaker(formula, person=formula)})
    talk = replace(recording([(0.0, 1.0, f" {formula}")], [(0.0, 1.0, "S")], named), video=replace(VIDEO, title=formula))
    [row] = read_table(export(talk, "csv")).to_dict("records")
    assert [row[name][0] for name in ("title", "speaker", "person", "text")] == ["'"] * 4


def test_csv_of_several_videos_has_one_header() -> None:
    together = FORMATS["csv"].together
    assert together is not None
    table = read_table("".join(together.pieces([small(), said_at(1.0), SILENT])))
    assert len(table) == 4
    assert table.start_s.tolist() == ["0.500", "3.500", "60.000", "1.000"]


# --- podcast -------------------------------------------------------------------------------------------------------------


@ANY
@given(anything())
@example(hostile())
def test_podcast_transcript_has_every_passage(talk: Recording) -> None:
    transcript = json.loads(export(talk, "podcast"))
    assert transcript["version"] == "1.0.0"
    passages = speaker_passages(talk)
    for segment, passage in zip(transcript["segments"], passages, strict=True):
        assert set(segment) == {"speaker", "startTime", "endTime", "body"}
        assert segment["startTime"] == pytest.approx(passage.start_s, abs=0.001)
        assert segment["endTime"] == pytest.approx(passage.end_s, abs=0.001)
        assert (segment["speaker"], words(segment["body"])) == (passage.shown, words(passage.text))
