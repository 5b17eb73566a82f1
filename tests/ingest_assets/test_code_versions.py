"""Each change to an asset's logic is recorded, and so asks whether its code version must rise."""

import json

import pytest

from ingest_assets.stages.versions import expected_versions
from tests.ingest_assets.code_versions import NETWORKS, RECORD, digests, modules_of

REMINDER = (
    "the logic of {} has changed ({}). If its result changes, raise its code_version, so that users' libraries are updated; "
    "in any case run: python -m tests.ingest_assets.code_versions"
)


@pytest.mark.parametrize("asset", expected_versions())
def test_changed_logic_was_recorded(asset: str) -> None:
    kept = json.loads(RECORD.read_text())[asset]
    assert digests()[asset] == kept, REMINDER.format(asset, ", ".join(modules_of(asset)))


def test_modules_of_an_asset_decide_its_result() -> None:
    text_modules = {
        "earshot/transcripts/passages.py",
        "earshot/transcripts/attribution/word_speakers.py",
        *NETWORKS["text_embeddings"],
    }
    assert text_modules <= set(modules_of("text_embeddings"))
    voice_modules = {"voice/diarizer.py", "voice/clustering.py", "networks/campplus.py", "networks/filter_bank.py"}
    assert {f"earshot/models/{module}" for module in voice_modules} <= set(modules_of("speaker_turns"))
    machinery = {"earshot/storage/database.py", "ingest_assets/stages/stage.py", "ingest_assets/assets/audio.py"}
    assert not machinery & set(modules_of("transcript"))


def test_digest_changes_with_code_not_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    import tests.ingest_assets.code_versions as module

    read, path = module.Path.read_text, "passages.py"

    def with_change(old: str, new: str) -> str:
        def read_text(self: module.Path) -> str:
            text = read(self)
            if self.name == path:
                assert old in text
                return text.replace(old, new, 1)
            return text

        monkeypatch.setattr(module.Path, "read_text", read_text)
        changed = digests()["text_embeddings"]["logic"]
        monkeypatch.setattr(module.Path, "read_text", read)
        return changed

    before = digests()["text_embeddings"]["logic"]
    assert with_change("\ndef ", "\n# A comment.\ndef ") == before
    assert with_change("\nfrom ", "\nimport os\nfrom ") != before
