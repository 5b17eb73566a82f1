"""What people.yaml may hold, what becomes of it, and what is told about what is wrong in it: line, key, value, remedy."""

import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import Misconfigured
from resources.excerpts import FILE, VIDEO, Excerpt, clock, moment, span
from resources.people_file import ListedPerson, read_people
from resources.person_names import LONGEST, name_key, person_name
from resources.settings import PROJECT_ROOT

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
    """The folder of people.yaml, where the process runs too, so that errors call the file by its bare name."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, text: str) -> tuple[ListedPerson, ...]:
    (folder / "people.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return read_people(folder / "people.yaml")


def refused(folder: Path, text: str) -> list[str]:
    """The lines of what is told."""
    with pytest.raises(Misconfigured) as told:
        read(folder, text)
    return str(told.value).splitlines()


def person(folder: Path, *lines: str) -> tuple[ListedPerson, ...]:
    """A file in which Ada stands on line 2, and these lines follow in her entry."""
    return read(folder, "\n".join(["people:", "- name: Ada", *(f"  {line}" for line in lines), ""]))


def refused_person(folder: Path, *lines: str) -> str:
    with pytest.raises(Misconfigured) as told:
        person(folder, *lines)
    return str(told.value)


# --- what it holds -------------------------------------------------------------------------------------------------------


def test_people_are_read_with_their_recordings_in_the_order_of_the_file(folder: Path) -> None:
    found = read(
        folder,
        """\
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
              - video: dQw4w9WgXcQ
                spans:
                  - [0:30, 1:10]
                  - ["90", "1:40"]
        """,
    )
    assert found == (
        ListedPerson(
            "Zoë",
            2,
            "two\nlines",
            (
                Excerpt(FILE, str(folder / "voices/zoe.wav")),
                Excerpt(FILE, "/elsewhere/talk.mp3", 10.0, 35.5),
                Excerpt(FILE, "/elsewhere/talk.mp3", 3720.0, 3750.25),
            ),
        ),
        ListedPerson(
            "Ada Lovelace", 10, "", (Excerpt(VIDEO, "dQw4w9WgXcQ", 30.0, 70.0), Excerpt(VIDEO, "dQw4w9WgXcQ", 90.0, 100.0))
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "people:\n", "people: []\n", "people: ~\n"])
def test_a_file_without_people_has_none(folder: Path, text: str) -> None:
    assert read(folder, text) == ()


def test_a_missing_file_has_none(folder: Path) -> None:
    assert read_people(folder / "people.yaml") == ()


def test_the_clones_own_file_names_nobody_and_its_examples_can_be_read(folder: Path) -> None:
    own = (PROJECT_ROOT / "people.yaml").read_text()
    assert read(folder, own) == ()
    (example,) = read(folder, own.replace("\n#  ", "\n  "))
    assert example.name == "Ada Lovelace"
    assert [excerpt.kind for excerpt in example.excerpts] == [FILE, FILE, FILE, VIDEO]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_in_any_script_with_quotes_and_emoji(folder: Path, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    (found,) = read(folder, f"people:\n- name: {quoted}\n  samples: [{{file: a.wav}}]\n")
    assert found.name == name


def test_a_name_is_kept_in_form_nfc_with_single_spaces(folder: Path) -> None:
    (found,) = read(folder, "people:\n- name: '  Zoe\u0308   \u00a0Quiet '\n  samples: [{file: a.wav}]\n")
    assert found.name == "Zoë Quiet"


def test_a_home_is_found_and_a_path_is_made_absolute(folder: Path) -> None:
    (found,) = person(folder, "samples: [{file: ~/ada.wav}, {file: ../ada.wav}]")
    assert [excerpt.recording for excerpt in found.excerpts] == [str(Path.home() / "ada.wav"), str(folder.parent / "ada.wav")]


# --- what is wrong -------------------------------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    told = refused(
        folder,
        """\
        peple: 1
        people:
          - name: Ada
            note: x
            samples: []
          - samples: [{file: b.wav}]
          - name: Cleo
            samples: [{file: c.wav, spans: [[20, 10]]}]
        """,
    )
    assert [line.partition(": ")[0] for line in told] == [f"people.yaml, line {number}" for number in (1, 4, 5, 6, 8)]
    assert told[0].endswith("unknown key 'peple'. Did you mean people?")
    assert "unknown key 'note'. Did you mean notes?" in told[1]
    assert "samples is empty. Allowed: a list of recordings" in told[2]
    assert "a person has no name." in told[3]
    assert "a span ends at 0:10, and starts at 0:20. Allowed: an end after the start." in told[4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- name: Ada\n", "line 1: the file is a list. Begin it with `people:`."),
        ("people: Ada\n", "line 1: people is a single value."),
        ("people: {Ada: 1}\n", "line 1: people is a mapping."),
        ("people:\n- Ada\n", "line 2: a person is a single value."),
        ("people:\n- name: Ada\n", "line 2: a person has no samples."),
        ("people:\n- name: [Ada]\n  samples: [{file: a}]\n", "line 2: name is a list."),
        ("people:\n- name: ~\n  samples: [{file: a}]\n", "line 2: a person has no name."),
        ("people:\n- name: Ada\n  name: Bob\n  samples: [{file: a}]\n", "line 3: name is given twice, on line 2 too."),
        ("people:\n\t- name: Ada\n", "line 2: not YAML"),
        ("people:\n- name: Ada\n  samples: [{file: 'a\x01'}]\n", "line 3: there is a control character."),
    ],
)
def test_what_is_not_a_list_of_people_is_told_with_its_line(folder: Path, text: str, said: str) -> None:
    assert f"people.yaml, {said}" in refused(folder, text)[0]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["samples: a.wav"], "line 3: samples is 'a.wav'. Allowed: a list of recordings"),
        (["samples:"], "line 3: samples is empty."),
        (["samples: [a.wav]"], "line 3: a sample is a single value."),
        (["samples:", "- spans: [[1, 2]]"], "line 4: a sample is neither a file nor a video."),
        (["samples:", "- file: a.wav", "  video: abc"], "line 4: a sample is a file and a video at once."),
        (["samples:", "- video: abc"], "line 4: a video has no spans. Say when this person speaks: a list of [start, end]"),
        (
            ["samples:", "- {video: abc, spans: [[1, 2]], speaker: SPEAKER_00}"],
            "unknown key 'speaker'. Allowed: file, video, spans.",
        ),
        (["samples:", "- file:"], "line 4: file is empty. Allowed: the path of a recording"),
        (["samples:", "- file: [a]"], "line 4: file is a list."),
        (["samples:", "- file: https://example.com/a.mp3"], "What is on the web is ingested, and then named by `video`."),
        (["samples:", "- file: ~nobody-here-at-all/a.mp3"], "line 4: file is '~nobody-here-at-all/a.mp3'."),
        (["samples:", '- file: "a\\nb"'], "line 4: file is 'a\\nb'."),
        (["samples:", "- video: two words", "  spans: [[1, 2]]"], "line 4: video is 'two words'. Allowed: a video's key"),
        (["samples:", "- file: a.wav", "  spans: 10-20"], "line 5: spans is '10-20'. Allowed: a list of [start, end]"),
        (["samples:", "- file: a.wav", "  spans: []"], "line 5: spans is empty."),
        (["samples:", "- file: a.wav", "  spans: [10, 20]"], "line 5: spans is [10, 20]."),
        (["samples:", "- file: a.wav", "  spans: [[10]]"], "line 5: a span is [10]."),
        (["samples:", "- file: a.wav", "  spans: [[10, 20, 30]]"], "line 5: a span is [10, 20, 30]."),
        (["samples:", "- file: a.wav", "  spans: [[-1, 20]]"], "line 5: a span is [-1, 20]."),
        (["samples:", "- file: a.wav", "  spans: [[1:75, 2:00]]"], "line 5: a span is ['1:75', 2:00]."),
        (["samples:", "- file: a.wav", "  spans: [[ten, .inf]]"], "line 5: a span is ['ten', .inf]."),
        (["samples:", "- file: a.wav", "  spans: [[10, 10]]"], "line 5: a span ends at 0:10, and starts at 0:10."),
        (["notes: [x]", "samples: [{file: a.wav}]"], "line 3: notes is a list. Allowed: text."),
        (['notes: "x\\0y"', "samples: [{file: a.wav}]"], "line 3: notes has a control character in it."),
        ([f"notes: {'x' * 10_001}", "samples: [{file: a.wav}]"], "line 3: notes has 10001 characters."),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_what_is_allowed(folder: Path, lines: list[str], said: str) -> None:
    told = refused_person(folder, *lines)
    assert said in told
    assert told.startswith("people.yaml, line ")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('""', "the name is empty."),
        ('" \u00a0"', "the name is empty."),
        ('"\u200d\ufe0f"', "the name is empty."),
        ('"Ada\\nLovelace"', "the name has a line break or a control character in it."),
        ('"Ada\\u2028"', "the name has a line break or a control character in it."),
        ('"Ada\\0"', "the name has a line break or a control character in it."),
        ('"Ada\\u202e"', "the name has a line break or a control character in it."),
        (f'"{"Ada" * 34}"', "the name has 102 characters."),
        ("Unknown", "the name is one that Earshot gives to voices itself."),
        ("Voice  7", "the name is one that Earshot gives to voices itself."),
        ("speaker_00", "the name is one that Earshot gives to voices itself."),
    ],
)
def test_what_is_no_name_is_told_with_its_line_and_not_repeated(folder: Path, written: str, said: str) -> None:
    (told,) = refused(folder, f"people:\n- notes: x\n  name: {written}\n  samples: [{{file: a.wav}}]\n")
    assert told.startswith(f"people.yaml, line 3: {said} Allowed: a name of at most 100 characters")
    assert "Ada" not in told


@pytest.mark.parametrize("second", ["zoë", "ZOË", "Zoe\u0308", " Zoë "])
def test_two_people_of_one_name_are_told_with_both_lines_and_without_the_name(folder: Path, second: str) -> None:
    one = "- name: Zoë\n  samples: [{file: a.wav}]\n"
    (told,) = refused(folder, f"people:\n{one}- samples: [{{file: b.wav}}]\n  name: '{second}'\n")
    assert told.startswith("people.yaml, line 5: the name is that of the person on line 2 already")
    assert "Two people: tell the names apart." in told
    assert "zo" not in told.lower()


def test_two_people_on_one_line_are_still_two(folder: Path) -> None:
    same = "{name: Ada, samples: [{file: a.wav, spans: [[1, 5]]}]}, {name: ada, samples: [{file: a.wav, spans: [[4, 9]]}]}"
    first, second = refused(folder, f"people: [{same}]\n")
    assert "the name is that of the person on line 1 already" in second
    assert "and 0:01-0:05 of it to another on line 1." in first


def test_overlapping_parts_of_one_recording_are_told_with_both_lines(folder: Path) -> None:
    told = refused_person(folder, "samples:", "- {file: a.wav, spans: [[10, 20]]}", "- {file: ./a.wav, spans: [[5, 10.5]]}")
    assert "people.yaml, line 5: 0:05-0:10.5 of a recording overlaps 0:10-0:20 of it on line 4." in told


def test_a_part_given_to_two_people_is_told_with_both_lines(folder: Path) -> None:
    (told,) = refused(
        folder,
        """\
        people:
          - name: Ada
            samples:
              - {video: abc, spans: [[10, 20]]}
          - name: Bob
            samples:
              - {video: abc, spans: [[10, 20]]}
        """,
    )
    assert told.startswith(
        "people.yaml, line 7: 0:10-0:20 of a recording is given to this person, and 0:10-0:20 of it to another"
    )
    assert "on line 4." in told


def test_a_whole_file_overlaps_every_part_of_it(folder: Path) -> None:
    told = refused_person(folder, "samples:", "- {file: a.wav, spans: [[10, 20], [30, 40]]}", "- file: a.wav")
    assert told.count("overlaps") == 2


def test_parts_that_meet_and_parts_of_other_recordings_do_not_overlap(folder: Path) -> None:
    spans = ["- {file: a.wav, spans: [[20, 30], [10, 20]]}", "- {file: b.wav, spans: [[12, 18]]}"]
    (found,) = person(folder, "samples:", *spans, "- {video: a.wav, spans: [[12, 18]]}")
    assert len(found.excerpts) == 4


def test_a_file_that_is_not_utf_8_is_told_with_its_line(folder: Path) -> None:
    (folder / "people.yaml").write_bytes("people:\n- name: Zoë\n".encode("latin-1"))
    with pytest.raises(Misconfigured, match=r"people\.yaml, line 2: not UTF-8"):
        read_people(folder / "people.yaml")


def test_what_is_no_file_is_told(folder: Path) -> None:
    (folder / "people.yaml").mkdir()
    with pytest.raises(Misconfigured, match="cannot be read: Is a directory"):
        read_people(folder / "people.yaml")


# --- names and times -----------------------------------------------------------------------------------------------------


@given(st.text(max_size=120))
def test_any_text_is_a_name_or_refused_and_a_name_stays_what_it_is(text: str) -> None:
    try:
        name = person_name(text)
    except ValueError:
        return
    assert person_name(name) == name
    assert 1 <= len(name) <= LONGEST
    assert name_key(name) == name_key(text.strip(" \t\u00a0")) or name != text
    assert len(name.splitlines()) == 1


@pytest.mark.parametrize(("one", "other"), [("Strauß", "STRAUSS"), ("Zoë", "zoe\u0308"), ("ΣΊΣΥΦΟΣ", "σίσυφος")])
def test_names_in_other_capitals_and_forms_are_one(one: str, other: str) -> None:
    assert name_key(person_name(one)) == name_key(person_name(other))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("12.5", 12.5),
        ("1:30", 90.0),
        ("90:00", 5400.0),
        ("1:02:03.5", 3723.5),
        ("10:00:00", 36_000.0),
    ],
)
def test_a_time_is_seconds_or_a_clocks(text: str, seconds: float) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize("text", ["", "1m", "-1", "1:5", "1:60", "1:75:00", "1:1:1", ":30", "1e3", "٣", "1:30:", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        moment(text)


@given(st.integers(0, 360_000_000))
def test_a_time_told_is_read_as_what_it_was(milliseconds: int) -> None:
    assert moment(clock(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


def test_a_span_has_an_end_after_its_start() -> None:
    assert span("1:30-2:00") == (90.0, 120.0)
    assert span("0 - 1.5") == (0.0, 1.5)


@pytest.mark.parametrize(
    ("text", "told"), [("2:00-1:30", "2:00-1:30"), ("10-10", "10-10"), ("10-2O", "2O"), ("10-20-30", "20-30")]
)
def test_what_is_no_span_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        span(text)
