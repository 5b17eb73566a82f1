"""The model set `multilingual`: what was said in any of its languages is found, asked in another, and no language breaks it."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from dagster import AssetKey, DagsterInstance

from bench.corpora.languages import ENGLISH_QUESTIONS, LANGUAGES
from earshot import Library
from earshot.cli.library.stale import stale_command
from earshot.storage.database import Database
from earshot.transcripts.search.text_models import list_text_models
from ingest_assets.definitions import defs
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.partitions import videos
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.support.library import run_stage
from tests.support.videos.spoken_videos import add_video

pytestmark = pytest.mark.slow

CODES = {"Spanish": "es", "Russian": "ru", "Greek": "el"}


@pytest.fixture(scope="module")
def spoken(library: Database) -> Iterator[Library]:
    """A video in each language, in which two speakers say a sentence in turn; the real stage made the passages."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EARSHOT_MODELS", "multilingual")
        for language, code in CODES.items():
            said = [(f"SPEAKER_0{number % 2}", asked.passage) for number, asked in enumerate(LANGUAGES[language])]
            add_video(library, language, *said, language=code)
            for stage in ("audio", "transcript", "speaker_turns", "voice_embeddings"):
                run_stage(library, language, stage, expected_versions()[stage], "")
        for table in ("passages", "text_models"):
            library.query(f"DELETE FROM {table}")  # noqa: S608
        embed(open_instance())
        yield Library()


def embed(instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(videos.name), list(CODES))
    for language in CODES:
        defs.resolve_job_def("ingest_video").execute_in_process(
            instance=instance, partition_key=language, asset_selection=[AssetKey("text_embeddings")], run_config=QUIET
        )


@pytest.mark.parametrize("language", ["Spanish", "Russian"])
@pytest.mark.parametrize("asked_in", ["English", "its own"])
def test_most_passages_are_found_first(spoken: Library, language: str, asked_in: str) -> None:
    own = [asked.question for asked in LANGUAGES[language]]
    questions = ENGLISH_QUESTIONS if asked_in == "English" else own
    best = [spoken.search(question, videos=[language], limit=1).hits[0].text for question in questions]
    found = [text.startswith(asked.passage) for text, asked in zip(best, LANGUAGES[language], strict=True)]
    assert sum(found) >= 9, list(zip(questions, best, strict=True))


def test_question_in_english_finds_several_languages(spoken: Library) -> None:
    hits = spoken.search("my grandmother baked bread at four in the morning", limit=2).hits
    assert {hit.video_id for hit in hits} == {"Spanish", "Russian"}


def test_language_that_the_model_lacks_is_found_by_words(spoken: Library) -> None:
    [best] = spoken.search("γέφυρα", limit=1).hits
    assert best.text.startswith("Η πόλη πλήρωσε την καινούργια γέφυρα")


def test_vectors_are_those_of_the_multilingual_model(spoken: Library, library: Database) -> None:
    assert spoken
    [model] = list_text_models(library)
    assert (model.model, model.dimension) == ("universal-sentence-encoder-multilingual-3", 512)
    assert library.query("SELECT DISTINCT vector_dims(embedding) AS dimension FROM passages") == [{"dimension": 512}]


def test_library_is_current(spoken: Library) -> None:
    assert spoken
    assert CliRunner().invoke(stale_command, []).output == "Nothing is out of date.\n"
