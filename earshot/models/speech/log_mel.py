"""Log-mel features: computes whisper's input for 30 s of sound on the GPU.

faster-whisper computes them with numpy, which takes a tenth of a transcription's time on a GPU. There `GpuLogMel` replaces its
feature extractor and differs only by rounding (tests/gpu/test_log_mel.py). On the CPU, faster-whisper's own is used.
"""

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from torch.nn.functional import pad

DYNAMIC_RANGE = 8.0  # powers of ten below the loudest; whisper's value, like the scale below (whisper/audio.py)
MIN_POWER = 1e-10


class GpuLogMel(FeatureExtractor):
    """faster-whisper's feature extractor with its arithmetic on a torch device."""

    def __init__(self, like: FeatureExtractor, device: str) -> None:
        """Takes the sizes of `like`, the model's original extractor."""
        super().__init__(like.mel_filters.shape[0], like.sampling_rate, like.hop_length, like.chunk_length, like.n_fft)
        self._filters = torch.from_numpy(like.mel_filters.astype(np.float32)).to(device)
        self._window = torch.hann_window(like.n_fft, device=device)

    def __call__(self, waveform: np.ndarray, padding: int = 160, chunk_length: int | None = None) -> np.ndarray:
        """(mel bands, frames) of float32 samples; frames of 10 ms."""
        if chunk_length is not None:
            raise NotImplementedError("all current whisper models take 30 s")
        samples = pad(torch.from_numpy(waveform).to(self._window.device), (0, padding))
        spectrum = torch.stft(samples, self.n_fft, self.hop_length, window=self._window, return_complex=True)
        powers = self._filters @ spectrum[:, :-1].abs().square()
        levels = powers.clamp(min=MIN_POWER).log10()
        return ((torch.maximum(levels, levels.max() - DYNAMIC_RANGE) + 4.0) / 4.0).cpu().numpy()
