"""A corpus of real English text, and larger ones made of it, to measure search by.

`passages()` are paragraphs of prose out of the documentation strings of the packages that are installed anyway: real sentences of
real lengths, with the frequencies of words that English has. `vectors()` embeds them once with the bundled text model and keeps
that. `grown()` makes of them as many as are wanted: each is a real passage with one sentence of another put in the place of one
of its own, and its vector is moved by noise, so that neighbours are near as neighbours of real text are, and never the same.

Nothing of it is kept in the repository. What is measured with it is bench/search.py.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from resources.gpu import require_device
from resources.loaded_models import ModelsResource
from resources.settings import read_settings

PACKAGES = (
    "dagster", "matplotlib", "networkx", "numpy", "pandas", "PIL", "pyannote", "scipy", "sentence_transformers", "sklearn", "sqlalchemy",
    "sympy", "torch", "torchaudio", "transformers", "yt_dlp",
)  # fmt: skip
SHORTEST, LONGEST = 20, 70  # words of a passage: 8 to 30 seconds of speech
# The cosine of a passage to the copy that noise makes of it is about 1 / sqrt(1 + NOISE²) = 0.83, that of nearest neighbours among
# real passages has its median near there.
NOISE = 0.67

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()\-\"%/.?!]+[.!?]")


@dataclass(frozen=True)
class Corpus:
    """Texts, and their vectors: (n, dimension) float32, of length one."""

    texts: list[str]
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def passages(most: int) -> list[str]:
    """Real passages, each once, in an order that depends on their texts alone."""
    found = {text for package in PACKAGES for path in _sources(package) for text in _prose(path)}
    return sorted(found, key=lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).digest())[:most]


def _sources(package: str) -> list[Path]:
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return sorted(path for folder in folders for path in Path(folder).rglob("*.py"))


def _prose(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # files of other Pythons, and tests of what cannot be read
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                text = " ".join(paragraph.split())
                if _PROSE.fullmatch(text) and SHORTEST <= len(text.split()) <= LONGEST:
                    yield text


def embedded(texts: list[str]) -> np.ndarray:
    """Their vectors, by the bundled text model; computed once for the same texts."""
    settings = read_settings()
    encoder = ModelsResource().text_encoder(require_device(settings.device))
    key = hashlib.sha256("\n".join([encoder.execution.model_revision, *texts]).encode()).hexdigest()[:16]
    kept = settings.home / "bench" / f"corpus-{key}.npy"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, encoder.encode(texts))
    return np.load(kept)


def grown(real: Corpus, count: int, seed: int = 0) -> Iterator[Corpus]:
    """`count` passages made of real ones, in parts of as many as there are real ones."""
    random = np.random.default_rng(seed)
    sentences = [_SENTENCE.split(text) for text in real.texts]
    for first in range(0, count, len(real)):
        chosen = random.permutation(len(real))[: count - first]
        others = random.integers(len(real), size=len(chosen))
        texts = [_mixed(sentences[one], sentences[other], random) for one, other in zip(chosen, others, strict=True)]
        yield Corpus(texts, jittered(real.vectors[chosen], random))


def _mixed(own: list[str], other: list[str], random: np.random.Generator) -> str:
    """The one with a sentence of the other in the place of one of its own."""
    place = int(random.integers(len(own)))
    return " ".join([*own[:place], other[int(random.integers(len(other)))], *own[place + 1 :]])


def jittered(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Vectors of length one at NOISE from these."""
    noise = random.normal(size=vectors.shape).astype(np.float32) * (NOISE / np.sqrt(vectors.shape[1]))
    moved = vectors + noise
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
