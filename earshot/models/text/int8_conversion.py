"""Converts a BERT's weights for ctranslate2.

The result is that of ctranslate2's own converter, byte for byte, without torch and transformers, which that one needs.
Its specifications accept arrays, but their annotations do not say so.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import common_spec, transformer_spec
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def convert(folder: Path, target: Path, compute_type: str) -> None:
    """Write the model in `folder` (config.json, model.safetensors, tokenizer.json) into an existing folder."""
    config = json.loads((folder / "config.json").read_text())
    spec = _spec(config, load_file(folder / "model.safetensors"))
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    spec.register_vocabulary(sorted(vocabulary, key=lambda token: vocabulary[token]))
    spec.config.unk_token = json.loads((folder / "tokenizer_config.json").read_text())["unk_token"]
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.validate()
    spec.optimize(quantization=compute_type)
    spec.save(str(target))


def _spec(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Any:
    encoder: Any = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"], config["num_attention_heads"], pre_norm=False, activation=common_spec.Activation.GELU,
        layernorm_embedding=True, num_source_embeddings=2, embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )  # fmt: skip
    encoder.scale_embeddings = False
    for embedding, kind in zip(encoder.embeddings, ("word", "token_type"), strict=True):
        embedding.weight = weights[f"embeddings.{kind}_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        _layer(layer, weights, f"encoder.layer.{number}")
    spec: Any = transformer_spec.TransformerEncoderModelSpec(
        encoder, pooling_layer=True, pooling_activation=common_spec.Activation.Tanh
    )
    _linear(spec.pooler_dense, weights, "pooler.dense")
    return spec


def _layer(layer: Any, weights: Mapping[str, np.ndarray], name: str) -> None:
    attention = f"{name}.attention"
    _linear(layer.self_attention.linear[0], weights, *(f"{attention}.self.{part}" for part in ("query", "key", "value")))
    _linear(layer.self_attention.linear[1], weights, f"{attention}.output.dense")
    _norm(layer.self_attention.layer_norm, weights, f"{attention}.output.LayerNorm")
    _linear(layer.ffn.linear_0, weights, f"{name}.intermediate.dense")
    _linear(layer.ffn.linear_1, weights, f"{name}.output.dense")
    _norm(layer.ffn.layer_norm, weights, f"{name}.output.LayerNorm")


def _linear(spec: Any, weights: Mapping[str, np.ndarray], *names: str) -> None:
    """Several layers become one."""
    spec.weight, spec.bias = (np.concatenate([weights[f"{name}.{part}"] for name in names]) for part in ("weight", "bias"))


def _norm(spec: Any, weights: Mapping[str, np.ndarray], name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
