"""A corpus of real English text, and larger ones derived from it, on which bench/search/search.py measures search.

`real_corpus()` returns paragraphs of prose from the docstrings of installed packages: real sentences of real lengths, with the
word frequencies of English. They are embedded with the bundled text model and cached under EARSHOT_HOME. `grown()` derives any
number of passages: each is a real one with a sentence of another mixed in, and its vector is moved among its neighbours, so
that passages are as close as real ones and never identical.

The repository contains none of this text.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device

PACKAGES = (
    "dagster", "matplotlib", "networkx", "numpy", "pandas", "PIL", "pyannote", "scipy", "sentence_transformers", "sklearn",
    "sqlalchemy", "sympy", "torch", "torchaudio", "transformers", "yt_dlp",
)  # fmt: skip
SHORTEST, LONGEST = 20, 70  # words of a passage: 8 to 30 seconds of speech
# A derived vector is a real one plus SHIFT times the difference of two of its NEIGHBOURS: it moves along the data's own
# directions, not along all 384. The local intrinsic dimension (maximum likelihood over 50 neighbours, Levina and Bickel 2004)
# around held-out questions is 20.7 for the ten thousand real passages, 22.7 for ten times as many derived ones, and 25.8 with
# noise of the same length in all directions.
NEIGHBOURS, SHIFT = 32, 0.7

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()\-\"%/.?!]+[.!?]")


@dataclass(frozen=True)
class Corpus:
    """Texts and their unit vectors: (n, dimension) float32."""

    texts: list[str]
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def real_corpus() -> Corpus:
    """Distinct real passages, in an order that depends only on their texts; cached for these package versions."""
    settings = read_settings()
    encoder = Models().text_encoder(require_device(settings.device))
    known = [encoder.execution.model_revision, *(f"{package} {_version(package)}" for package in PACKAGES)]
    kept = settings.home / "bench" / f"corpus-{hashlib.sha256(repr(known).encode()).hexdigest()[:12]}.npz"
    if not kept.exists():
        texts = real_texts()
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, texts=np.array(texts), vectors=encoder.encode(texts))
    with np.load(kept) as opened:
        return Corpus(opened["texts"].tolist(), opened["vectors"])


def real_texts() -> list[str]:
    """The passages alone, read from the packages' sources each time."""
    texts = {text for package in PACKAGES for path in _sources(package) for text in _prose(path)}
    return sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())


def _version(package: str) -> str:
    names = packages_distributions().get(package.split(".")[0], [])
    return version(names[0]) if names else ""


def _sources(package: str) -> list[Path]:
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return sorted(path for folder in folders for path in Path(folder).rglob("*.py"))


def _prose(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # files for other Pythons, and test files that are broken on purpose
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                text = " ".join(paragraph.split())
                if _PROSE.fullmatch(text) and SHORTEST <= len(text.split()) <= LONGEST:
                    yield text


def grown(real: Corpus, count: int, seed: int = 0) -> Iterator[Corpus]:
    """`count` passages derived from real ones, in parts of at most `len(real)`."""
    random = np.random.default_rng(seed)
    sentences = [_SENTENCE.split(text) for text in real.texts]
    near = neighbours(real.vectors)
    for first in range(0, count, len(real)):
        chosen = random.permutation(len(real))[: count - first]
        others = random.integers(len(real), size=len(chosen))
        texts = [_mixed(sentences[own], sentences[other], random) for own, other in zip(chosen, others, strict=True)]
        yield Corpus(texts, jittered(real.vectors, chosen, near, random))


def _mixed(own: list[str], other: list[str], random: np.random.Generator) -> str:
    """`own` with a sentence of `other`, which replaces one of its own if it has several."""
    index = int(random.integers(len(own)))
    kept = own[index + 1 :] if own[1:] else own
    return " ".join([*own[:index], other[int(random.integers(len(other)))], *kept])


def neighbours(vectors: np.ndarray) -> np.ndarray:
    """The indices of each vector's NEIGHBOURS nearest, including itself: (n, NEIGHBOURS)."""
    blocks = np.array_split(vectors, max(1, len(vectors) // 1000))
    nearest = [np.argpartition(-(block @ vectors.T), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS] for block in blocks]
    return np.concatenate(nearest)


def jittered(vectors: np.ndarray, chosen: np.ndarray, near: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A unit vector for each of the chosen ones, moved along the difference of two of its neighbours."""
    first, second = near[chosen[:, None], random.integers(NEIGHBOURS, size=(len(chosen), 2))].T
    moved = vectors[chosen] + SHIFT * (vectors[first] - vectors[second])
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
