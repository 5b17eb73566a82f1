"""Whisper's features, computed on the real device."""

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.models.device import Device
from earshot.models.speech.log_mel import GpuLogMel


def test_features_match_numpy_within_rounding(cuda: Device) -> None:
    usual = FeatureExtractor()
    for samples in (clip_samples(TELEPHONE), clip_samples(TELEPHONE)[:16_000], np.zeros(16_000, dtype=np.float32)):
        expected, found = usual(samples), GpuLogMel(usual, cuda.kind)(samples)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        assert np.abs(found - expected).max() < 1e-3
