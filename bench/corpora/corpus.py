"""A corpus of real English text, and larger ones made of it, to measure search by.

`real_corpus()` has paragraphs of prose out of the documentation strings of packages that are installed anyway: real sentences
of real lengths, with the frequencies of words that English has. They are embedded with the bundled text model, and kept under
EARSHOT_HOME. `grown()` makes of them as many as are wanted: each is a real passage with a sentence of another one in it, and
its vector is moved among its neighbours, so that they are as near as among real passages, and never the same.

Nothing of it is kept in the repository. What is measured with it is bench/search/search.py.
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
# A made passage lies from a real one in the direction in which two of its NEIGHBOURS lie from each other, SHIFT of that far:
# the data's own directions, not all 384. Measured around questions that are not among the ten thousand real passages: their
# local intrinsic dimension (maximum likelihood over 50 neighbours, Levina and Bickel 2004) is 20.7, that of ten times as many
# made ones 22.7, and with noise of the same length in all directions 25.8.
NEIGHBOURS, SHIFT = 32, 0.7

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PROSE = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()\-\"%/.?!]+[.!?]")


@dataclass(frozen=True)
class Corpus:
    """Texts, and their vectors: (n, dimension) float32, of length one."""

    texts: list[str]
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def real_corpus() -> Corpus:
    """Real passages, each once, in an order that depends on their texts alone; found and embedded once for these packages."""
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
    found = {text for package in PACKAGES for path in _sources(package) for text in _prose(path)}
    return sorted(found, key=lambda text: hashlib.sha256(text.encode()).digest())


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
    except (SyntaxError, ValueError):  # files of other Pythons, and tests of what cannot be read
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                text = " ".join(paragraph.split())
                if _PROSE.fullmatch(text) and SHORTEST <= len(text.split()) <= LONGEST:
                    yield text


def grown(real: Corpus, count: int, seed: int = 0) -> Iterator[Corpus]:
    """`count` passages made of real ones, in parts of as many as there are real ones."""
    random = np.random.default_rng(seed)
    sentences = [_SENTENCE.split(text) for text in real.texts]
    near = neighbours(real.vectors)
    for first in range(0, count, len(real)):
        chosen = random.permutation(len(real))[: count - first]
        others = random.integers(len(real), size=len(chosen))
        texts = [_mixed(sentences[one], sentences[other], random) for one, other in zip(chosen, others, strict=True)]
        yield Corpus(texts, jittered(real.vectors, chosen, near, random))


def _mixed(own: list[str], other: list[str], random: np.random.Generator) -> str:
    """The one with a sentence of the other among its own: in the place of one, where it has several."""
    place = int(random.integers(len(own)))
    kept = own[place + 1 :] if own[1:] else own
    return " ".join([*own[:place], other[int(random.integers(len(other)))], *kept])


def neighbours(vectors: np.ndarray) -> np.ndarray:
    """For each of these vectors which NEIGHBOURS are nearest, itself among them: (n, NEIGHBOURS)."""
    blocks = np.array_split(vectors, max(1, len(vectors) // 1000))
    nearest = [np.argpartition(-(block @ vectors.T), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS] for block in blocks]
    return np.concatenate(nearest)


def jittered(vectors: np.ndarray, chosen: np.ndarray, near: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each of the chosen vectors a new one of length one, moved as two of its neighbours differ."""
    one, other = near[chosen[:, None], random.integers(NEIGHBOURS, size=(len(chosen), 2))].T
    moved = vectors[chosen] + SHIFT * (vectors[one] - vectors[other])
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
