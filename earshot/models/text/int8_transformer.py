"""Int8 transformer: a text model's network on the CPU, its weights as whole numbers of eight bits, run by ctranslate2.

sentence-transformers cuts texts into tokens, sorts and batches them, and pools; only the network in the middle is another one
here, with the same inputs and outputs. It is made once from the model's verified files, into a folder beside them. What it
gives is not quite what the network in single precision gives; how far apart they are, and that search finds as well, is
measured (docs/measurements/performance.md, tests/earshot/models/test_text_encoder.py).
"""

import os
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.converters import TransformersConverter
from transformers.utils import logging

from earshot.common.atomic_files import atomic_folder

COMPUTE_TYPE = "int8"


class Int8Transformer(torch.nn.Module):
    """In the place of a transformers model: token ids in, `last_hidden_state` (texts, tokens, dimension) out."""

    def __init__(self, folder: Path, config: Any) -> None:
        """`folder` holds the model as sentence-transformers reads it, `config` is its network's."""
        super().__init__()
        self.config = config
        threads = len(os.sched_getaffinity(0))
        self.encoder = ctranslate2.Encoder(
            str(_converted(folder)), device="cpu", compute_type=COMPUTE_TYPE, inter_threads=1, intra_threads=threads
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        """`attention_mask` is 1 up to a text's end and 0 from there on. Other inputs say nothing of a single text."""
        tokens, lengths = (
            ctranslate2.StorageView.from_array(np.ascontiguousarray(values.numpy(), dtype=np.int32))
            for values in (input_ids, attention_mask.sum(dim=1))
        )
        states = self.encoder.forward_batch(tokens, lengths).last_hidden_state
        return {"last_hidden_state": torch.from_numpy(np.array(states))}


def _converted(folder: Path) -> Path:
    """The folder that ctranslate2 reads; made at first use."""
    target = folder.with_name(f"{folder.name}-{COMPUTE_TYPE}")
    if not target.exists():
        with atomic_folder(target) as converted:
            _convert(folder, converted)
    return target


def _convert(folder: Path, target: Path) -> None:
    """Without transformers' line about an argument that ctranslate2 still calls by its old name."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        TransformersConverter(str(folder)).convert(str(target), quantization=COMPUTE_TYPE, force=True)
    finally:
        logging.set_verbosity(before)
