"""The VAD network in two parts returns the same as faster-whisper's own session."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper.utils import get_assets_path
from faster_whisper.vad import SileroVADModel, get_vad_model

from bench.corpora.episodes import EPISODES, TELEPHONE, clip_samples, episode_samples
from earshot.models.speech.speech_detection import SplitSession, spread_over_cores

[NETWORK] = Path(get_assets_path()).glob("silero_vad*.onnx")


@pytest.mark.parametrize("threads", [1, 3])
def test_split_network_gives_the_same_probabilities(threads: int) -> None:
    # Over 10,000 windows of 512 samples, so that faster-whisper calls the network twice and hands its state on.
    speech = np.concatenate([episode_samples(episode) for episode in EPISODES])
    samples = np.resize(speech, 10_300 * 512)
    whole = SileroVADModel(str(NETWORK))
    split: Any = SileroVADModel(str(NETWORK))
    split.session = SplitSession(NETWORK, threads)
    expected = whole(samples.copy())
    assert expected.min() < 0.1
    assert expected.max() > 0.9
    assert np.array_equal(split(samples.copy()), expected)


def test_single_window_gives_the_same_probability() -> None:
    model: Any = SileroVADModel(str(NETWORK))
    expected = model(clip_samples(TELEPHONE)[:512].copy())
    model.session = SplitSession(NETWORK, 2)
    assert np.array_equal(model(clip_samples(TELEPHONE)[:512].copy()), expected)


def test_session_is_replaced_for_the_block_alone() -> None:
    usual = get_vad_model().session
    with spread_over_cores():
        assert isinstance(get_vad_model().session, SplitSession)
    assert get_vad_model().session is usual


def test_session_is_restored_after_an_error() -> None:
    usual = get_vad_model().session
    with pytest.raises(AssertionError, match="multiple of num_samples"), spread_over_cores():
        get_vad_model()(np.zeros(511, dtype=np.float32))
    assert get_vad_model().session is usual
