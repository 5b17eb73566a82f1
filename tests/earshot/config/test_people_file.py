"""people.yaml: what it may hold, how it is read, and where its mistakes are; also names and times."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.common.errors import InvalidConfig
from earshot.common.excerpt import FILE, VIDEO, Excerpt, format_time, parse_span, parse_time
from earshot.config.names import MAX_LENGTH, name_key, parse_person_name
from earshot.config.people_file import ListedPerson, read_people
from earshot.config.settings import PROJECT_ROOT

NAMES = [
    "Ada Lovelace",
    'Conan "Coco" O\'Brien',
    "Łukasz Żółć",
    "毛泽东",
    "محمد",
    "🎙️ Zoë 👩‍🔬",
    "Yes",
    "#1 fan",
    "O\\'Neil",
    "1984",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of people.yaml, in which the process runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, text: str) -> tuple[ListedPerson, ...]:
    (folder / "people.yaml").write_text(text, encoding="utf-8")
    return read_people(folder / "people.yaml")


def refused(folder: Path, text: str) -> InvalidConfig:
    with pytest.raises(InvalidConfig) as caught:
        read(folder, text)
    return caught.value


def positions(error: InvalidConfig) -> list[tuple[int | None, str]]:
    return [(mistake.line, mistake.key) for mistake in error.mistakes]


def test_people_keep_order_and_recordings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    text = """\
people:
  - name: Zoë
    notes: |
      two
      lines
    samples:
      - file: voices/zoe.wav
      - file: /elsewhere/talk.mp3
        spans: [[10, 35.5], [1:02:00, 1:02:30.25]]
  - name: Ada Lovelace
    samples:
      - {file: ~/ada.wav, spans: [[20, 30], [10, 20]]}
      - {file: ../ada.wav, spans: [[12, 18]]}
      - video: dQw4w9WgXcQ
        spans:
          - [0:30, 1:10]
          - ["90", "1:40"]
"""
    zoe, talk = Excerpt(FILE, str(folder / "voices/zoe.wav")), "/elsewhere/talk.mp3"
    assert read(folder, text) == (
        ListedPerson("Zoë", 2, "two\nlines", (zoe, Excerpt(FILE, talk, 10.0, 35.5), Excerpt(FILE, talk, 3720.0, 3750.25))),
        ListedPerson(
            "Ada Lovelace",
            10,
            "",
            (
                Excerpt(FILE, "/home/ada/ada.wav", 20.0, 30.0),
                Excerpt(FILE, "/home/ada/ada.wav", 10.0, 20.0),
                Excerpt(FILE, str(folder.parent / "ada.wav"), 12.0, 18.0),
                Excerpt(VIDEO, "dQw4w9WgXcQ", 30.0, 70.0),
                Excerpt(VIDEO, "dQw4w9WgXcQ", 90.0, 100.0),
            ),
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "people:\n", "people: []\n", "people: ~\n"])
def test_file_without_people_is_valid(folder: Path, text: str) -> None:
    assert read_people(folder / "people.yaml") == read(folder, text) == ()


def test_example_in_repository_is_valid(folder: Path) -> None:
    own = (PROJECT_ROOT / "people.yaml").read_text()
    assert read(folder, own) == ()
    (example,) = read(folder, own.replace("\n#  ", "\n  "))
    assert [excerpt.kind for excerpt in example.excerpts] == [FILE, FILE, FILE, VIDEO]


@pytest.mark.parametrize(("written", "name"), [*((name, name) for name in NAMES), ("  Zoe\u0308   \u00a0Quiet ", "Zoë Quiet")])
def test_name_may_have_any_script_quotes_and_emoji(folder: Path, written: str, name: str) -> None:
    quoted = "'" + written.replace("'", "''") + "'"
    (person,) = read(folder, f"people:\n- name: {quoted}\n  samples: [{{file: a.wav}}]\n")
    assert person.name == name


# --- what is wrong (the words, and most mistakes, are in mistakes/people.yaml) -------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("- name: Ada\n", 1, ""),
        ("people: Ada\n", 1, "people"),
        ("people: {Ada: 1}\n", 1, "people"),
        ("people:\n- name: Bob\n  samples: [{file: 'a\x01'}]\n", 3, ""),
        ('people:\n- name: Bob\n  samples: [{file: "a\\nb"}]\n', 3, "file"),
        (f"people:\n- name: Bob\n  notes: {'x' * 10_001}\n  samples: [{{file: a}}]\n", 3, "notes"),
    ],
)
def test_wrong_shape_or_value_is_refused(folder: Path, text: str, line: int, key: str) -> None:
    error = refused(folder, text)
    assert positions(error) == [(line, key)]
    assert "Ada" not in str(error).replace("`- name: Ada Lovelace`", "")


@pytest.mark.parametrize("name", [" ", " \u00a0", "\u200d\ufe0f", "Ada\\nLovelace", "Ada\\u2028", "Ada\\0", "Ada\\u202e",
                                  "Ada" * 34, "Unknown", "Voice  7", "speaker_00"])  # fmt: skip
def test_invalid_name_is_refused_and_not_repeated(folder: Path, name: str) -> None:
    error = refused(folder, f'people:\n- notes: x\n  name: "{name}"\n  samples: [{{file: a.wav}}]\n')
    assert positions(error) == [(3, "name")]
    assert "Ada" not in f"{error} {error.mistakes}"


@pytest.mark.parametrize("second", ["zoë", "ZOË", "Zoe\u0308", " Zoë "])
def test_duplicate_name_is_refused_and_not_repeated(folder: Path, second: str) -> None:
    first = "- name: Zoë\n  samples: [{file: a.wav}]\n"
    error = refused(folder, f"people:\n{first}- samples: [{{file: b.wav}}]\n  name: '{second}'\n")
    assert positions(error) == [(5, "name")]
    assert "zo" not in f"{error} {error.mistakes}".lower()


def test_mistakes_of_people_on_one_line(folder: Path) -> None:
    same = "{name: Ada, samples: [{file: a.wav, spans: [[1, 5]]}]}, {name: ada, samples: [{file: a.wav, spans: [[4, 9]]}]}"
    assert positions(refused(folder, f"people: [{same}]\n")) == [(1, "samples"), (1, "name")]


# --- names and times -----------------------------------------------------------------------------------------------------


@given(st.text(max_size=120))
def test_parsing_a_name_is_idempotent(text: str) -> None:
    try:
        name = parse_person_name(text)
    except ValueError:
        return
    assert parse_person_name(name) == name
    assert 1 <= len(name) <= MAX_LENGTH
    assert name_key(name) == name_key(text.strip(" \t\u00a0")) or name != text
    assert len(name.splitlines()) == 1


@pytest.mark.parametrize(("name", "variant"), [("Strauß", "STRAUSS"), ("Zoë", "zoe\u0308"), ("ΣΊΣΥΦΟΣ", "σίσυφος")])
def test_name_key_ignores_case_and_unicode_form(name: str, variant: str) -> None:
    assert name_key(parse_person_name(name)) == name_key(parse_person_name(variant))


TIMES = {"0": 0.0, "90": 90.0, "12.5": 12.5, "1:30": 90.0, "90:00": 5400.0, "1:02:03.5": 3723.5, "10:00:00": 36_000.0}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_time_is_seconds_or_clock_time(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["1m", "-1", "1:5", "1:60", "1:75:00", "1:1:1", ":30", "1e3", "٣", "1:30:", "nan"])
def test_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_time(text)


@given(st.integers(0, 360_000_000))
def test_formatted_time_is_read_back(milliseconds: int) -> None:
    assert parse_time(format_time(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


def test_span_ends_after_its_start() -> None:
    assert (parse_span("1:30-2:00"), parse_span("0 - 1.5")) == ((90.0, 120.0), (0.0, 1.5))
    for text, wrong in (("2:00-1:30", "2:00-1:30"), ("10-10", "10-10"), ("10-2O", "2O"), ("10-20-30", "20-30")):
        with pytest.raises(ValueError, match=wrong):
            parse_span(text)
