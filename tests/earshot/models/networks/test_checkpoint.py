"""Checkpoints are read as torch reads them, and run nothing."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earshot.models.networks.checkpoint import read_checkpoint


def test_tensors_are_those_of_torch(tmp_path: Path) -> None:
    rows = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = {"rows": rows, "columns": rows.T, "part": rows[1:, 2], "count": torch.tensor(7), "half": rows.half()}
    torch.save(tensors, tmp_path / "saved.pt")
    found = read_checkpoint(tmp_path / "saved.pt")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


def test_weights_of_a_module_are_under_its_state_dict(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    torch.save({"state_dict": layer.state_dict(), "made": Path("elsewhere"), "epoch": 3}, tmp_path / "saved.ckpt")
    found = read_checkpoint(tmp_path / "saved.ckpt")
    assert sorted(found) == ["bias", "weight"]
    np.testing.assert_array_equal(found["weight"], layer.weight.detach().numpy())


class Evil:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.victim,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "touched"
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Evil(victim)}))
    assert read_checkpoint(tmp_path / "evil.pt") == {}
    assert not victim.exists()
