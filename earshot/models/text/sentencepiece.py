"""Reads a model file of SentencePiece into a tokenizer of `tokenizers`, which is as fast as those of the other text models.

The file is a protobuf message (sentencepiece_model.proto); the fields read here are the pieces of a unigram model with their
log probabilities, and the table by which characters are normalised.
"""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tokenizers import Regex, Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import Precompiled, Replace, Sequence, Strip
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
_FIELDS = """
    name: "earshot/sentencepiece.proto" package: "earshot" syntax: "proto2"
    message_type { name: "Piece"
        field { name: "piece" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
        field { name: "score" number: 2 type: TYPE_FLOAT label: LABEL_OPTIONAL } }
    message_type { name: "Normalizer"
        field { name: "precompiled_charsmap" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL } }
    message_type { name: "Model"
        field { name: "pieces" number: 1 type: TYPE_MESSAGE type_name: "Piece" label: LABEL_REPEATED }
        field { name: "normalizer" number: 3 type: TYPE_MESSAGE type_name: "Normalizer" label: LABEL_OPTIONAL } }
"""


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a unigram model. It puts START and END around a text, and neither truncates nor pads."""
    model = _message_class().FromString(path.read_bytes())
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    place = {name: number for number, (name, _) in enumerate(pieces[:10])}
    tokenizer: Any = Tokenizer(Unigram(pieces, unk_id=place[UNKNOWN]))
    single_spaces = Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = Sequence([Precompiled(model.normalizer.precompiled_charsmap), Strip(), single_spaces])
    tokenizer.pre_tokenizer = Metaspace()
    ends = [(name, place[name]) for name in (START, END)]
    tokenizer.post_processor = TemplateProcessing(single=f"{START} $A {END}", special_tokens=ends)
    return tokenizer


@cache
def _message_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_FIELDS, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("earshot.Model"))
