"""Text vectors in reduced precision hardly differ from the model's own, and search results stay the same."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench.corpora.monologues import talks
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.measurement import CallCounter
from earshot.models.registry import MINILM
from earshot.models.text.int8_conversion import convert
from earshot.models.text.int8_encoder import Int8Encoder
from earshot.models.text.text_encoder import TextEncoder

pytestmark = pytest.mark.slow

ODD = ("", "  spaces around  ", "beyond the window " * 200, "Grüße, 東京, emoji 🎧!")
LENGTHS = (3, 12, 25, 40, 60)  # words


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Two hundred texts of different lengths, in order, from chapters of books."""
    words = [word for talk in islice(talks(), 20) for word in talk.words.text]
    ends = np.cumsum([LENGTHS[index % len(LENGTHS)] for index in range(200)])
    return ["".join(words[end - LENGTHS[index % len(LENGTHS)] : end]).strip() for index, end in enumerate(ends)]


@pytest.fixture(scope="module")
def encoder(home: object) -> TextEncoder:
    assert home
    return Models().text_encoder(require_device("cpu"))


@pytest.fixture(scope="module")
def in_single_precision(home: object, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    assert home
    model = SentenceTransformer(str(locate(MINILM, read_settings())), device="cpu", local_files_only=True)
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def test_int8_gives_nearly_the_same_vectors(encoder: TextEncoder, texts: list[str], in_single_precision: np.ndarray) -> None:
    vectors = encoder.encode(texts)
    assert encoder.execution.compute_type.startswith("int8")
    cosines = (vectors * in_single_precision).sum(axis=1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.98
    np.testing.assert_array_equal((vectors @ vectors.T).argmax(axis=1), np.arange(len(texts)))
    # Of the five nearest texts of each text, at most one in ten differs.
    neighbours, expected = (_nearest(matrix) for matrix in (vectors, in_single_precision))
    shared = np.mean([len(set(near) & set(exact)) / 5 for near, exact in zip(neighbours, expected, strict=True)])
    assert shared > 0.9


def test_vectors_match_sentence_transformers(home: object, texts: list[str]) -> None:
    """Tokenizing ahead of the network does not change the result."""
    from sentence_transformers import SentenceTransformer

    from earshot.models.text.sentence_encoder import SentenceEncoder

    assert home
    folder, odd = locate(MINILM, read_settings()), [*texts, *ODD]
    expected = SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(odd, show_progress_bar=False)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = SentenceEncoder(MINILM, folder, require_device("cpu")).encode(odd)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_int8_tokenizes_as_transformers(encoder: TextEncoder, texts: list[str]) -> None:
    from transformers import AutoTokenizer

    words = [word for text in [*texts, *ODD] for word in text.split()]
    whole = AutoTokenizer.from_pretrained(locate(MINILM, read_settings()))
    assert encoder.token_counts(words) == [len(whole.tokenize(word)) for word in words]
    assert encoder.token_counts([]) == []


def test_int8_encodes_odd_texts(encoder: TextEncoder) -> None:
    vectors = encoder.encode(ODD)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_searching_needs_no_torch(home: object) -> None:
    program = (
        "import sys\nfrom earshot.models.cache import Models\nfrom earshot.models.device import require_device\n"
        "print(Models().text_encoder(require_device('cpu')).encode(['a question']).shape)\n"
        "sys.exit(bool({'torch', 'transformers', 'pandas', 'dagster'} & sys.modules.keys()))"
    )
    assert home
    Models().text_encoder(require_device("cpu"))  # converted, once
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (result.returncode, result.stdout) == (0, "(1, 384)\n"), result.stderr


def test_conversion_is_that_of_ctranslate2(home: object, tmp_path: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    assert home
    folder = locate(MINILM, read_settings())
    TransformersConverter(str(folder)).convert(str(tmp_path / "expected"), quantization="int8")
    (tmp_path / "found").mkdir()
    convert(folder, tmp_path / "found", "int8")
    expected, found = ({file.name: file.read_bytes() for file in (tmp_path / kind).iterdir()} for kind in ("expected", "found"))
    assert found == expected


def test_vector_hardly_depends_on_its_batch(encoder: TextEncoder, texts: list[str]) -> None:
    together = encoder.encode(texts[:40])
    alone = np.concatenate([encoder.encode([text]) for text in texts[:40]])
    assert (together * alone).sum(axis=1).min() > 0.998


def test_order_and_number_of_texts_hardly_change_vectors(encoder: TextEncoder, texts: list[str]) -> None:
    some, tally = texts[:70], CallCounter()
    vectors = encoder.encode(some)
    backwards = encoder.encode(some[::-1], tally)[::-1]
    cosines = (vectors * backwards).sum(axis=1)
    assert cosines.min() > 0.998
    assert cosines.mean() > 0.9999
    assert tally.inputs == len(some)
    assert tally.batch_mean <= encoder.execution.batch_size
    np.testing.assert_array_equal(encoder.encode(some), vectors)


def test_cores_share_the_texts_without_changing_vectors(
    home: object, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    few = texts[:48]
    folder, vectors = locate(MINILM, read_settings()), []
    for cores in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", cores)
        vectors.append(Int8Encoder(MINILM, folder, require_device("cpu")).encode(few))
    np.testing.assert_array_equal(*vectors)


def test_half_precision_gives_the_same_vectors(texts: list[str], in_single_precision: np.ndarray) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(locate(MINILM, read_settings())), device="cpu", local_files_only=True).half()
    vectors = model.encode(texts[::8], show_progress_bar=False).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (vectors * in_single_precision[::8]).sum(axis=1).min() > 0.999


def _nearest(vectors: np.ndarray) -> np.ndarray:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1.0)
    return np.argsort(-scores, axis=1)[:, :5]
