"""What a user of a notebook, of 3D Slicer or of asyncio gets wrong is one error of the right class, which says the next
step."""

from __future__ import annotations

import asyncio
import builtins
import multiprocessing
import pathlib
import pickle
import threading
from typing import Any, Callable

import numpy as np
import pytest
from conftest import QUICK, SPACING_MM

import dosegrid


class Node:
    """A volume node of 3D Slicer, as far as this package can tell one."""

    def GetName(self) -> str:
        return "SPECT"

    def GetImageData(self) -> None:
        return None


class OnDevice:
    """A tensor that lies on a GPU, or has a gradient, as torch says it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self.error


CUDA = TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
GRADIENT = RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
CURVE = {"name": "kidneys", "points": [{"hours": 24.0, "activity_mbq": 10.0}]}

#: What is done wrong with a client, the field that is named, and words that say what to do.
WRONG: list[tuple[str, Callable[[dosegrid.Client, Any], Any], str, str]] = [
    ("a node of Slicer", lambda c, a: c.compute(Node(), **QUICK), "activity", "arrayFromVolume"),
    ("a tensor on a GPU", lambda c, a: c.compute(OnDevice(CUDA), **QUICK), "activity", "Tensor.cpu"),
    ("a tensor with a gradient", lambda c, a: c.compute(OnDevice(GRADIENT), **QUICK), "activity", "detach"),
    ("progress by a word", lambda c, a: c.compute(**a, progress="yes", **QUICK), "progress", "a function"),
    ("an event to cancel", lambda c, a: c.compute(**a, cancel=threading.Event(), **QUICK), "cancel", "dosegrid.Cancel"),
    ("one number as spacing of a kernel", lambda c, a: c.kernel("Lu-177", 4.0, 2), "spacing_mm", "three numbers"),
    ("half a voxel as radius", lambda c, a: c.kernel("Lu-177", SPACING_MM, 2.5), "radius_voxels", "2.5"),
    ("a number as nuclide", lambda c, a: c.kernel(177, SPACING_MM, 2), "nuclide", "177"),
    ("a nuclide by number", lambda c, a: c.nuclide(177), "name", "177"),
    ("one tally", lambda c, a: c.merge(b"tally", None), "tallies", "a list"),
    ("tallies that are none", lambda c, a: c.merge([None, "x"], None), "tallies[0]", "tally=True"),
    ("an image as grid", lambda c, a: c.merge([b"x"], np.zeros(3)), "grid", "result.dose.grid"),
    ("no grid to resample to", lambda c, a: c.resample(volume(a), "dose"), "spacing_mm", "onto"),
    ("two of them", lambda c, a: c.resample(volume(a), "dose", onto=volume(a), spacing_mm=2.0), "spacing_mm", "onto"),
    ("three edges of a cube", lambda c, a: c.resample(volume(a), "dose", spacing_mm=(2, 2, 2)), "spacing_mm", "cubes"),
    ("an array alone", lambda c, a: c.resample(a["activity"], "dose", spacing_mm=2.0), "image", "axes"),
    ("a kind that is none", lambda c, a: c.resample(volume(a), "SUV", spacing_mm=2.0), "kind", "one of"),
    ("a job by a number", lambda c, a: c.job(5), "name", "5"),
    ("jobs in no state", lambda c, a: c.jobs("done"), "states", "succeeded"),
    ("a region, and no list", lambda c, a: c.integrate_curves(CURVE, "Lu-177"), "regions", "a list"),
    ("regions by name", lambda c, a: c.integrate_curves(["kidneys"], "Lu-177"), "regions[0]", "a mapping"),
    ("a budget by a word", lambda c, a: c.budget("kidneys"), "regions", "a list"),
    ("an organ by its name", lambda c, a: c.bed([], "Lu-177", organs={"liver": volume(a)}), "organs['liver']", "label"),
    ("maps without times", lambda c, a: c.integrate([volume(a)], "Lu-177", "bq"), "scans[0]", "dosegrid.Scan"),
    ("a unit that is none", lambda c, a: c.integrate([], "Lu-177", "suv"), "unit", "bq_per_ml"),
    ("a unit by a number", lambda c, a: c.integrate([], "Lu-177", 5), "unit", "bq_per_ml"),
    ("a timeout in words", lambda c, a: c.info(timeout="5 s"), "timeout", "seconds"),
    ("a volume of four dimensions", lambda c, a: c.compute(four(a), **QUICK), "activity", "three dimensions"),
    ("masked voxels", lambda c, a: c.compute(**{**a, "activity": masked(a)}, **QUICK), "activity", "filled(0)"),
    ("objects", lambda c, a: c.compute(**{**a, "activity": objects(a)}, **QUICK), "activity", "object"),
    (
        "complex numbers",
        lambda c, a: c.compute(**{**a, "activity": a["activity"] * 1j}, **QUICK),
        "activity",
        "complex",
    ),
    ("a switch in words", lambda c, a: c.compute(**a, **QUICK, strict="no"), "strict", "True or False"),
    (
        "an activity at one moment",
        lambda c, a: c.compute(**a, nuclide="Lu-177", unit="bq"),
        "effective_half_life",
        "physical",
    ),
    (
        "a name that is no text",
        lambda c, a: c.compute(**a, **QUICK, label_names={1: "a\udc80"}),
        "label_names[1]",
        "cannot be",
    ),
    ("an array of two axes", lambda c, a: dosegrid.Volume.of_array([[1.0]], (4, 4, 4), "xyz"), "array", "dimensions"),
    ("an array like another", lambda c, a: dosegrid.Volume.like(np.ones((2, 2, 2)), volume(a)), "array", "the image"),
    ("like an array", lambda c, a: dosegrid.Volume.like(a["activity"], a["activity"]), "image", "axes"),
    ("axes that are swapped", lambda c, a: c.compute(**{**a, "axes": "yxz"}, **QUICK), "activity", "zyx"),
    ("not a number", lambda c, a: c.compute(**{**a, "activity": a["activity"] * np.nan}, **QUICK), "activity", "nan"),
]


def volume(arguments: Any) -> dosegrid.Volume:
    return dosegrid.Volume.of_array(arguments["activity"], SPACING_MM, "xyz")


def four(arguments: Any) -> Any:
    return np.stack([arguments["activity"]] * 2, -1)


def masked(arguments: Any) -> Any:
    return np.ma.masked_less(arguments["activity"], 5)


def objects(arguments: Any) -> Any:
    return arguments["activity"].astype(object)


@pytest.mark.parametrize("what, wrong, field, words", WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_named_with_the_next_step(
    client: dosegrid.Client, placed: Any, what: str, wrong: Any, field: str, words: str
) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        wrong(client, placed)
    found = [fault for fault in caught.value.fields if fault.field == field]
    assert found and words.lower() in found[0].reason.lower(), f"{what}: {caught.value}"


@pytest.mark.parametrize(
    "arguments, field",
    [
        ({"server": 50051}, "server"),
        ({"server": ("127.0.0.1", 50051)}, "server"),
        ({"server": "127.0.0.1:1", "token": b"secret"}, "token"),
        ({"device": 0}, "device"),
        ({"connect_timeout": "10"}, "connect_timeout"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"retries": 2.5}, "retries"),
        ({"retries": -1}, "retries"),
    ],
)
def test_what_no_client_can_be_made_of_is_named(arguments: Any, field: str) -> None:
    for kind in dosegrid.Client, dosegrid.AsyncClient:
        with pytest.raises(dosegrid.InvalidRequest) as caught:
            kind(**arguments)
        assert [fault.field for fault in caught.value.fields] == [field]
        assert "secret" not in str(caught.value)


def test_a_closed_client_says_so(server: str, placed: Any) -> None:
    client = dosegrid.Client(server)
    job = client.submit(**placed, **QUICK)
    client.close()
    for call in (client.info, client.jobs, job.refresh, job.wait, lambda: client.compute(**placed, **QUICK)):
        with pytest.raises(dosegrid.Unavailable, match="the client is closed: make another"):
            call()
    client.close()

    async def closed() -> None:
        tasks = dosegrid.AsyncClient(server)
        await tasks.info()
        await tasks.close()
        for call in (tasks.info, lambda: tasks.compute(**placed, **QUICK)):
            with pytest.raises(dosegrid.Unavailable, match="the client is closed: make another"):
                await call()
        await tasks.close()

    asyncio.run(closed())


def test_a_client_of_tasks_works_on_one_loop_after_another(server: str, placed: Any) -> None:
    tasks = dosegrid.AsyncClient(server)
    first = asyncio.run(tasks.compute(**placed, **QUICK))
    again = asyncio.run(tasks.compute(**placed, **QUICK))
    assert (first.dose.gy == again.dose.gy).all()
    asyncio.run(tasks.close())


def test_progress_that_would_never_run_is_refused(server: str, placed: Any) -> None:
    async def told(_: Any) -> None:
        raise AssertionError("it is never called")

    async def call() -> None:
        async with dosegrid.AsyncClient(server) as tasks:
            await tasks.compute(**placed, progress=told, **QUICK)

    with pytest.raises(dosegrid.InvalidRequest, match="async def"):
        asyncio.run(call())


def test_an_interrupt_in_a_callback_reaches_the_caller(client: dosegrid.Client, placed: Any) -> None:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.compute(**placed, progress=stop, **QUICK)
    assert client.compute(**placed, **QUICK).dose.gy.max() > 0


def test_a_client_goes_to_no_other_process(client: dosegrid.Client) -> None:
    for kind in (client, dosegrid.AsyncClient("127.0.0.1:1")):
        with pytest.raises(TypeError, match="make one in each"):
            pickle.dumps(kind)
    context = multiprocessing.get_context("spawn")
    with pytest.raises(TypeError, match="make one in each"):
        context.Process(target=print, args=(client,)).start()


def test_a_result_goes_to_another_process_and_back(client: dosegrid.Client, placed: Any) -> None:
    labels = (placed["activity"] > 50).astype(np.uint8)
    result = client.compute(**placed, labels=labels, **QUICK)
    other = pickle.loads(pickle.dumps(result))
    assert (other.dose.gy == result.dose.gy).all() and other.dose.grid == result.dose.grid
    assert other.organs.rows() == result.organs.rows()
    assert other._repr_html_() == result._repr_html_()


def test_what_lacks_a_package_names_it(client: dosegrid.Client, placed: Any, monkeypatch: Any, tmp_path: Any) -> None:
    result = client.compute(**placed, **QUICK)
    imported = builtins.__import__
    from importlib import import_module

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.partition(".")[0] in ("SimpleITK", "nibabel"):
            raise ImportError(f"No module named {name!r}")
        return imported(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("importlib.import_module", lambda name: without(name) and import_module(name))
    with pytest.raises(ImportError, match="pip install SimpleITK"):
        result.dose.to_sitk()
    with pytest.raises(ImportError, match="pip install nibabel"):
        result.dose.to_nibabel()
    with pytest.raises(ImportError, match=r"a file such as .*dose.nii.gz \(or nibabel\) needs"):
        result.dose.save(tmp_path / "dose.nii.gz")


def test_paths_are_taken_as_text_and_as_paths(client: dosegrid.Client, activity: Any, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "activity map.nii.gz"
    image = dosegrid.Volume.of_array(activity, SPACING_MM, "xyz")
    client.compute(image, density=np.ones_like(activity), spacing_mm=SPACING_MM, axes="xyz", **QUICK).dose.save(place)
    found = [client.resample(one, "dose", spacing_mm=4.0).values for one in (place, str(place))]
    assert (found[0] == found[1]).all()
