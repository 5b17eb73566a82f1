"""What the text encoder asks of universal-sentence-encoder-multilingual 3, whatever runs it.

On the CPU, ONNX Runtime runs the network (universal_onnx.py); on a GPU, torch does (universal_torch.py). Both give the vectors
of the package's own code (tests/earshot/models/test_universal_encoder.py).
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from earshot.models.networks.interface import Network

PADDING = -1


class UniversalNetwork(Network):
    """Makes a vector of the tokens of a text."""

    @abstractmethod
    def vectors(self, batches: Sequence[np.ndarray]) -> np.ndarray:
        """A vector, not normalised, for each text of all batches: float32, (texts, dimension).

        A batch is int64, (texts, tokens); a text with fewer tokens has PADDING behind them.
        """
