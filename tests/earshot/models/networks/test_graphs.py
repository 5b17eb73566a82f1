"""Exported graphs: made once, again when missing or damaged, by one process at a time, and never if they differ from torch."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from earshot.common.errors import ModelUnavailable
from earshot.config.settings import read_settings
from earshot.models.files import locate
from earshot.models.networks.graphs import graphs
from earshot.models.registry import SEGMENTATION


class Exporter:
    """Writes a file, slowly; counts how often."""

    def __init__(self) -> None:
        self.exports = 0

    def __call__(self, target: Path) -> None:
        self.exports += 1
        time.sleep(0.05)
        (target / "network.onnx").write_text("a graph")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "a-model-0123"


def test_graphs_are_made_once_beside_the_weights(weights: Path) -> None:
    export = Exporter()
    folder = graphs(weights, export)
    assert graphs(weights, export) == folder
    assert export.exports == 1
    assert folder.parent == weights.parent
    assert folder.name.startswith("a-model-0123-onnx-1-torch-")
    assert (folder / "network.onnx").read_text() == "a graph"


@pytest.mark.parametrize("name", ["network.onnx", "SHA256SUMS"])
def test_missing_file_is_made_again(weights: Path, name: str) -> None:
    export = Exporter()
    (graphs(weights, export) / name).unlink()
    assert (graphs(weights, export) / name).exists()
    assert export.exports == 2


@pytest.mark.parametrize("content", ["", "a grape"])
def test_damaged_graph_is_made_again(weights: Path, content: str) -> None:
    export = Exporter()
    (graphs(weights, export) / "network.onnx").write_text(content)
    assert (graphs(weights, export) / "network.onnx").read_text() == "a graph"


def test_one_process_at_a_time_makes_graphs(weights: Path) -> None:
    export = Exporter()
    with ThreadPoolExecutor(4) as threads:
        folders = set(threads.map(lambda _: graphs(weights, export), range(4)))
    assert len(folders) == 1
    assert export.exports == 1


def test_failed_export_leaves_no_graphs(weights: Path) -> None:
    def fail(_target: Path) -> None:
        raise ModelUnavailable("The graph differs.")

    with pytest.raises(ModelUnavailable):
        graphs(weights, fail)
    assert [path.name for path in weights.parent.iterdir() if path.is_dir()] == []


@pytest.mark.slow
def test_graph_that_differs_from_torch_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from earshot.models.networks import graph_export

    assert home.exists()
    monkeypatch.setattr(graph_export.OnnxSegmentation, "speakers", lambda _, windows: windows[:, :589, None].repeat(3, axis=2))
    with pytest.raises(ModelUnavailable, match=r"segmentation.onnx agrees with torch to 0\.\d+ on speech"):
        graph_export.export_segmentation(locate(SEGMENTATION, read_settings()), tmp_path)
