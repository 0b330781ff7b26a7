"""The module outside Slicer, with a stand-in for the parts of Slicer that it calls, against a real server.

What the stand-in does is what Slicer's documentation says; the module has not been run in Slicer itself.
"""

from __future__ import annotations

import importlib
import pathlib
import socket
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
        self.name, self.parent = "volume", None

    def GetName(self) -> str:
        return self.name

    def GetParentTransformNode(self) -> Any:
        return self.parent

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
        base = {"__init__": lambda self, *_: None, "setup": lambda self: None}
        setattr(bases, f"ScriptedLoadableModule{name}", type(f"Base{name}", (), base))
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
    for address, words in (server, "computes on"), ("127.0.0.1:1", "No connection: no server listens"):
        kind, said, _ = outcome(logic.test_connection(address))
        assert kind == "tested" and words in said


def test_segments_that_overlap_keep_all_their_voxels(scene: Any, volumes: Any, server: str) -> None:
    activity, ct, hot = volumes
    logic = scene.module.DosegridLogic()
    organs = Segmentation({"hot": hot.astype(np.uint8), "body": np.ones(hot.shape, np.uint8)})
    volume, options = logic.options(activity, ct, organs, CHOSEN)
    kind, result, _ = outcome(logic.start(logic.client(server), volume, options))
    assert kind == "done", result
    assert (result.organs["Hot"].voxels, result.organs["Body"].voxels) == (hot.sum(), hot.size)


def test_what_a_transform_moves_is_refused(scene: Any, volumes: Any) -> None:
    activity, ct, hot = volumes
    logic = scene.module.DosegridLogic()
    organs = Segmentation({"hot": hot.astype(np.uint8)})
    for node in activity, ct, organs:
        node.parent = types.SimpleNamespace(GetName=lambda: "registration")
        with pytest.raises(ValueError, match="under the transform registration: harden it"):
            logic.options(activity, ct, organs, CHOSEN)
        node.parent = None
    logic.options(activity, ct, organs, CHOSEN)


class Field(Recorder):
    """Any element of a panel."""

    currentText = text = ""

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.node: Any = None
        for name in "clicked", "timeout":
            setattr(self, name, Recorder())

    def currentNode(self) -> Any:
        return self.node


@pytest.fixture
def panel(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel, with elements that only remember what was done to them."""
    qt: Any = types.ModuleType("qt")
    for name in "QFormLayout QComboBox QLineEdit QPushButton QProgressBar QLabel QTimer".split():
        setattr(qt, name, type(name, (Field,), {"Password": 2}))
    monkeypatch.setitem(sys.modules, "qt", qt)
    scene.qMRMLNodeComboBox = Field
    scene.module.DosegridWidget.layout = Recorder()
    made = scene.module.DosegridWidget(None)
    made.setup()
    return made


def said_in_the_end(panel: Any) -> str:
    end = time.monotonic() + PATIENCE_S
    while panel.run is not None and time.monotonic() < end:
        panel.onNews()
        time.sleep(0.01)
    assert panel.run is None
    return str(panel.said.calls["setText"][0])


def test_the_panel_does_not_wait_for_a_connection(panel: Any, server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        panel.server.text = f"127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        panel.onTest()
        assert time.monotonic() - began < 1.0 and panel.test.calls["setEnabled"] == (False,)
        panel.cleanup()
    assert panel.run is None and "stop" in panel.timer.calls
    panel.server.text = server
    panel.onTest()
    assert "computes on" in said_in_the_end(panel) and panel.test.calls["setEnabled"] == (True,)


def test_the_panel_shows_the_dose_over_the_ct_that_it_was_computed_with(
    scene: Any, panel: Any, volumes: Any, server: str
) -> None:
    activity, ct, _ = volumes
    panel.server.text = server
    panel.activity.node, panel.ct.node = activity, ct
    for field, text in (panel.unit, "bq-per-ml"), (panel.method, "kernel"):
        field.currentText = text
    panel.nuclide.text, panel.half_life.text = "Lu-177", "50h"
    panel.onCompute()
    panel.ct.node = Node("vtkMRMLScalarVolumeNode", ct.array)
    said = said_in_the_end(panel)
    assert "A research tool" in said and scene.layers["background"] is ct


def test_the_package_is_installed_on_use(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setitem(sys.modules, "dosegrid", None)
    scene.util.pip_install = installed.append
    with pytest.raises(ImportError):
        scene.module.DosegridLogic().client()
    assert installed == ["dosegrid"]
