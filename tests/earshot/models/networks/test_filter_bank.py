"""The filter bank in numpy returns the numbers of torchaudio's, for one waveform or many."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.models.networks.filter_bank import MEL_BANDS, features

if TYPE_CHECKING:
    import torch

LENGTHS = [400, 16_000, 16_100, 159_999]


def _kaldi(samples: np.ndarray) -> "torch.Tensor":
    import torch
    import torchaudio.compliance.kaldi as kaldi

    return kaldi.fbank(torch.from_numpy(samples.copy())[None], num_mel_bins=MEL_BANDS, sample_frequency=16_000)


@pytest.mark.parametrize("count", LENGTHS)
def test_numpy_matches_torchaudio(count: int) -> None:
    samples = clip_samples(TELEPHONE)[100_000 : 100_000 + count]
    expected = _kaldi(samples)
    found = features(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected - expected.mean(dim=0), atol=2e-3)


def test_silence_has_the_same_features_as_in_torchaudio() -> None:
    samples = np.concatenate([np.zeros(8000, dtype=np.float32), clip_samples(TELEPHONE)[100_000:108_000]])
    expected = _kaldi(samples)
    np.testing.assert_allclose(features(samples), expected - expected.mean(dim=0), atol=2e-3)


@pytest.mark.parametrize("count", LENGTHS)
def test_filter_banks_of_a_batch_match_single_ones(count: int) -> None:
    import torch

    from earshot.models.networks.campplus import _filter_banks

    waveforms = torch.randn(3, 1, count, generator=torch.Generator().manual_seed(count)) * 0.1
    expected = torch.stack([_kaldi(waveform[0].numpy()) for waveform in waveforms])
    assert torch.allclose(_filter_banks(waveforms), expected, atol=1e-5)
