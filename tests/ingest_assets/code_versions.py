"""Digests of the logic of each asset at its code version: tests/ingest_assets/code_versions.json.

An asset's logic is its own module, those of the network that it loads, and everything that these import of the project,
except other assets and MACHINERY, which decides how something is done and not what results. The digest ignores comments and
docstrings, and is the same with each Python.

`python -m tests.ingest_assets.code_versions` writes today's digests. Run it after a change to an asset's logic; raise the
asset's `code_version` before if its result changes, since `earshot stale` and `earshot ingest` compare nothing else.
"""

import ast
import hashlib
import json
from pathlib import Path

from earshot.config.settings import PROJECT_ROOT
from ingest_assets.stages.versions import expected_versions

RECORD = Path(__file__).with_suffix(".json")
_VOICE = [f"earshot/models/networks/{library}_networks.py" for library in ("onnx", "torch")]
NETWORKS = {
    "transcript": ["earshot/models/speech/transcriber.py"],
    "speaker_turns": ["earshot/models/voice/diarizer.py", "earshot/models/voice/community.py", *_VOICE],
    "voice_embeddings": ["earshot/models/voice/voice_encoder.py", *_VOICE],
    "text_embeddings": [f"earshot/models/text/{network}_encoder.py" for network in ("int8", "sentence", "universal")],
}
MACHINERY = {
    "earshot/common": "errors",
    "earshot/config": "settings",
    "earshot/sources/media": "download_slots downloads fetching pictures waveform",
    "earshot/models": "cache device files machine_load measurement oom_batching registry",
    "earshot/speakers/people": "identify",
    "earshot/speakers/tables": "voice_cache voice_space",
    "earshot/speakers/voices": "monologue",
    "earshot/storage/catalog": "stages videos watched_sources",
    "earshot/storage": "database media_store",
    "earshot/transcripts": "content_checks previews",
    "earshot/transcripts/search": "text_models",
    "ingest_assets": "partitions",
    "ingest_assets/presentation": "checks metadata tables",
    "ingest_assets/stages": "content_findings freshness model_loading outputs stage versions video_asset",
}
PACKAGES = {"earshot", "ingest_assets"}


def digests() -> dict[str, dict[str, str]]:
    """By asset: its code version, and the digest of its logic."""
    return {
        asset: {"code_version": version.code_version, "logic": _digest(modules_of(asset))}
        for asset, version in expected_versions().items()
    }


def modules_of(asset: str) -> list[str]:
    """The modules that decide the result of the asset, as sorted paths from the project's root."""
    assets = {f"ingest_assets/assets/{other}.py" for other in expected_versions() if other != asset}
    left_out = assets | {f"{package}/{name}.py" for package, names in MACHINERY.items() for name in names.split()}
    modules, waiting = set(), {f"ingest_assets/assets/{asset}.py"} | set(NETWORKS.get(asset, []))
    while waiting:
        module = waiting.pop()
        modules.add(module)
        waiting |= _imported(module) - left_out - modules
    return sorted(modules)


def _imported(module: str) -> set[str]:
    nodes = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.ImportFrom) and node.module]
    named = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names} | {str(node.module) for node in nodes}
    paths = {name.replace(".", "/") + ".py" for name in named if name.split(".")[0] in PACKAGES}
    return {path for path in paths if (PROJECT_ROOT / path).exists()}


def _digest(modules: list[str]) -> str:
    return hashlib.sha256("\n".join(_normalized(_tree(module)) for module in modules).encode()).hexdigest()[:16]


def _normalized(node: object) -> str:
    """The tree as text, without its empty fields. Not `ast.dump`, which shows other ones of these with each Python."""
    if isinstance(node, list):
        return f"[{', '.join(map(_normalized, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [f"{name}={_normalized(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({', '.join(fields)})"


def _tree(module: str) -> ast.Module:
    tree = ast.parse((PROJECT_ROOT / module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


if __name__ == "__main__":
    RECORD.write_text(json.dumps(digests(), indent=1) + "\n")
