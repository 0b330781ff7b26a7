"""The module outside Slicer, with a stand-in for the parts of Slicer that it calls, against a real server.

What the stand-in does is what Slicer's documentation says; the module has not been run in Slicer itself.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
import time
import types
from typing import Any, Iterator

import numpy as np
import pytest

PATIENCE_S = 60.0
MODULE = pathlib.Path(__file__).resolve().parents[1] / "Dosegrid"
AFFINE = np.array([[-4.0, 0, 0, 30], [0, -4.0, 0, 20], [0, 0, 3.0, -10], [0, 0, 0, 1]])


class Matrix:
    def __init__(self, values: Any = None) -> None:
        self.values = np.eye(4) if values is None else np.array(values, float)

    def GetElement(self, row: int, column: int) -> float:
        return float(self.values[row, column])

    def SetElement(self, row: int, column: int, value: float) -> None:
        self.values[row, column] = value


class Recorder:
    """Takes any call, and remembers it."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[Any, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls[name] = arguments or tuple(named.items())
            return self

        return call


class Node(Recorder):
    def __init__(self, kind: str, array: Any = None, affine: Any = AFFINE) -> None:
        super().__init__()
        self.kind, self.array, self.matrix = kind, array, Matrix(affine)

    def IsA(self, kind: str) -> bool:
        return self.kind == kind

    def GetIJKToRASMatrix(self, matrix: Matrix) -> None:
        matrix.values = self.matrix.values.copy()

    def SetIJKToRASMatrix(self, matrix: Matrix) -> None:
        self.matrix = Matrix(matrix.values)

    def GetDisplayNode(self) -> Any:
        return self.__dict__.setdefault("display", Recorder())


class Segmentation(Node):
    def __init__(self, masks: dict[str, Any]) -> None:
        super().__init__("vtkMRMLSegmentationNode")
        self.masks = masks

    def GetSegmentation(self) -> Any:
        return self

    def GetNumberOfSegments(self) -> int:
        return len(self.masks)

    def GetNthSegmentID(self, number: int) -> str:
        return list(self.masks)[number]

    def GetNthSegment(self, number: int) -> Any:
        return types.SimpleNamespace(GetName=lambda: list(self.masks)[number].title())


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A scene, and the module in it."""
    nodes: list[Node] = []

    def add(kind: str, name: str) -> Node:
        nodes.append(Node(kind))
        nodes[-1].name = name
        return nodes[-1]

    def update(node: Node, array: Any) -> None:
        node.array = np.array(array)

    slicer: Any = types.ModuleType("slicer")
    slicer.nodes = nodes
    slicer.mrmlScene = types.SimpleNamespace(AddNewNodeByClass=add)
    slicer.util = types.SimpleNamespace(
        arrayFromVolume=lambda node: node.array,
        arrayFromSegmentBinaryLabelmap=lambda node, identifier, like: node.masks[identifier],
        updateVolumeFromArray=update,
        setSliceViewerLayers=lambda **layers: setattr(slicer, "layers", layers),
        pip_install=lambda name: pytest.fail(f"{name} is there"),
    )
    bases: Any = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in "", "Widget", "Logic":
        setattr(bases, f"ScriptedLoadableModule{name}", type(f"Base{name}", (), {"__init__": lambda self, *_: None}))
    vtk: Any = types.ModuleType("vtk")
    vtk.vtkMatrix4x4 = Matrix
    vtk.vtkFlyingEdges3D = vtk.vtkTransform = vtk.vtkTransformPolyDataFilter = Recorder
    for name, module in ("slicer", slicer), ("slicer.ScriptedLoadableModule", bases), ("vtk", vtk):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(MODULE))
    monkeypatch.delitem(sys.modules, "Dosegrid", raising=False)
    heavy = {"numpy", "dosegrid", "grpc", "vtk"}
    source = (MODULE / "Dosegrid.py").read_text()
    at_file_scope = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert not heavy & at_file_scope
    slicer.module = importlib.import_module("Dosegrid")
    yield slicer


@pytest.fixture
def volumes() -> tuple[Node, Node, Any]:
    activity = np.zeros((8, 10, 12), np.float32)
    activity[2:5, 3:6, 4:8] = 2e4
    body = np.full(activity.shape, 40, np.int16)
    return Node("vtkMRMLScalarVolumeNode", activity), Node("vtkMRMLScalarVolumeNode", body), activity > 0


CHOSEN = {"nuclide": "Lu-177", "unit": "bq-per-ml", "effective_half_life": "50h", "method": "kernel"}


def outcome(run: Any) -> tuple[str, Any, int]:
    told, end = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        kind, what = run.news.get(timeout=PATIENCE_S)
        if kind != "progress":
            return kind, what, told
        told += 1
    raise AssertionError("nothing came")


def test_the_dose_comes_back_to_the_scene(scene: Any, volumes: Any, server: str) -> None:
    activity, ct, hot = volumes
    logic = scene.module.DosegridLogic()
    organs = Segmentation({"hot": hot.astype(np.uint8), "rest": (~hot).astype(np.uint8)})
    volume, options = logic.options(activity, ct, organs, CHOSEN)
    kind, result, told = outcome(logic.start(logic.client(server), volume, options))
    assert kind == "done" and told > 0, result
    assert result.organs["Hot"].voxels == hot.sum() and set(result.organs) == {1, 2}
    node = logic.show(result, ct)
    assert node.array.shape == activity.array.shape and np.array_equal(node.matrix.values, AFFINE)
    assert np.unravel_index(node.array.argmax(), node.array.shape) in list(zip(*np.nonzero(hot)))
    assert node.GetDisplayNode().calls["SetWindowLevelMinMax"] == (0.0, float(node.array.max()))
    assert scene.layers == {"background": ct, "foreground": node, "foregroundOpacity": 0.5}
    surfaces = [one for one in scene.nodes if one.kind == "vtkMRMLModelNode"]
    assert len(surfaces) == 3 and all("Gy" in one.name for one in surfaces)


def test_faults_and_cancellation_are_told(scene: Any, volumes: Any, server: str) -> None:
    activity, ct, _ = volumes
    logic = scene.module.DosegridLogic()
    volume, options = logic.options(activity, ct, None, {**CHOSEN, "unit": "gray", "nuclide": ""})
    kind, error, _ = outcome(logic.start(logic.client(server), volume, options))
    assert kind == "failed" and scene.module.describe(error).startswith("unit: ")
    endless = {**CHOSEN, "method": "monte-carlo", "histories": 1e11}
    run = logic.start(logic.client(server), *logic.options(activity, ct, None, endless))
    assert run.news.get(timeout=PATIENCE_S)[0] == "progress"
    run.cancel.cancel()
    kind, error, _ = outcome(run)
    assert kind == "failed" and type(error).__name__ == "Cancelled"


def test_a_connection_is_tested_with_the_reason(scene: Any, server: str) -> None:
    logic = scene.module.DosegridLogic()
    is_there, said = logic.test_connection(server)
    assert is_there and "computes on" in said
    is_there, said = logic.test_connection("127.0.0.1:1")
    assert not is_there and "no server listens" in said


def test_the_package_is_installed_on_use(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setitem(sys.modules, "dosegrid", None)
    scene.util.pip_install = installed.append
    with pytest.raises(ImportError):
        scene.module.DosegridLogic().client()
    assert installed == ["dosegrid"]
