"""Reads the tensors of a checkpoint that torch saved, without torch.

A checkpoint is a zip archive: `data.pkl` names the tensors and says where in the archive's other files their numbers are. Of
the pickle, only what rebuilds tensors is run; any other class in it becomes a placeholder that does nothing.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """The tensors by name; those under `state_dict` if the checkpoint has one, as pyannote.audio's do."""
    with zipfile.ZipFile(path) as archive:
        saved = _Unpickler(archive).load()
    tensors = saved.get("state_dict", saved)
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, np.ndarray)}


class _Placeholder:
    """Stands for an object of a class that is not loaded."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        [pickled] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        self._archive, self._folder = archive, pickled.removesuffix("data.pkl")
        super().__init__(archive.open(pickled))

    def find_class(self, module_name: str, global_name: str) -> Any:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", storage if storage in STORAGES:
                return np.dtype(STORAGES[storage])
        return _Placeholder

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, dtype, name, *_ = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{name}"), dtype)


def _tensor(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> np.ndarray:
    bytes_apart = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_apart, writeable=False)
