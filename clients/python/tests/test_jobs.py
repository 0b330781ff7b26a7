"""Jobs that last, tallies that add up, and tasks."""

from __future__ import annotations

import asyncio
import tracemalloc
import uuid
from typing import Any

import numpy as np
import pytest
from conftest import ENDLESS, QUICK

import dosegrid
from dosegrid._result import Organs

RUN = {"nuclide": "Lu-177", "unit": "mbq-h", "histories": 5000}


def test_a_job_gives_the_bytes_of_a_call(client: Any, placed: Any) -> None:
    labels = placed["activity"] > 50
    call = client.compute(**placed, labels=labels, **RUN)
    job = client.submit(**placed, labels=labels, tally=True, priority="high", **RUN)
    heard: list[dosegrid.Progress] = []
    assert job.wait(progress=heard.append).state == "succeeded"
    result = job.result()
    for name in "dose", "uncertainty":
        assert getattr(result, name).gy.tobytes() == getattr(call, name).gy.tobytes()
    assert result.organs[1] == call.organs[1] and result.tally
    again = client.job(job.name)
    assert again.result().dose.gy.tobytes() == call.dose.gy.tobytes()
    assert job.name in [one.name for one in client.jobs(["succeeded"])]
    job.delete()
    with pytest.raises(dosegrid.NotFound):
        job.refresh()


def test_a_result_has_the_axes_that_are_asked_for(client: Any, placed: Any) -> None:
    turned = {**placed, **{name: placed[name].transpose(2, 1, 0) for name in ("activity", "density")}, "axes": "zyx"}
    job = client.submit(**turned, tally=True, **RUN)
    assert job.wait().state == "succeeded"
    result = job.result()
    assert result.dose.gy.shape == placed["activity"].shape[::-1]
    # Found by its name, it does not say how the activity was indexed.
    found = client.job(job.name)
    assert found.result().dose.gy.shape == placed["activity"].shape
    assert found.result(axes="zyx").dose.gy.tobytes() == result.dose.gy.tobytes()
    with pytest.raises(dosegrid.InvalidRequest, match="axes"):
        found.result(axes="zxy")
    for of, expected in (result.dose, result.dose.gy), (result.dose.grid, result.dose.gy.transpose(2, 1, 0)):
        assert np.array_equal(client.merge([result.tally], of).dose.gy, expected)


def test_the_same_request_id_is_the_same_job(client: Any, placed: Any) -> None:
    name = str(uuid.uuid4())
    first, second = (client.submit(**placed, request_id=name, **RUN) for _ in range(2))
    assert first.name == second.name
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        client.submit(**placed, request_id=name, **{**RUN, "histories": 6000})
    assert caught.value.reason == "REQUEST_ID_USED"


def test_a_job_is_cancelled_and_its_error_is_that_of_a_call(client: Any, placed: Any) -> None:
    job = client.submit(**placed, **ENDLESS)
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        job.result()
    assert caught.value.reason == "JOB_NOT_FINISHED"
    with pytest.raises(dosegrid.Timeout):
        job.wait(timeout=0.3)
    assert job.cancel().state == "cancelled" and job.wait().is_final
    with pytest.raises(dosegrid.Cancelled):
        job.result()
    placed["activity"] = np.full_like(placed["activity"], np.nan)
    bad = client.submit(**placed, **RUN)
    assert bad.wait().state == "failed"
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        bad.result()
    assert [one.field for one in caught.value.fields] == ["activity"]


def test_tallies_add_up(client: Any, placed: Any) -> None:
    whole = client.compute(**placed, nuclide="Lu-177", unit="mbq-h", histories=6400)
    halves = [
        client.compute(**placed, nuclide="Lu-177", unit="mbq-h", histories=3200, first_history=first, tally=True)
        for first in (0, 3200)
    ]
    merged = client.merge([half.tally for half in halves], whole.dose.grid)
    assert merged.dose.gy.tobytes() == whole.dose.gy.tobytes()
    assert merged.uncertainty.gy.tobytes() == whole.uncertainty.gy.tobytes()


def test_bad_arguments_are_named(client: Any, placed: Any) -> None:
    array = placed["activity"]
    volume = dosegrid.Volume.of_array(array, placed["spacing_mm"], "xyz")
    for field, call in (
        ("image", lambda: client.resample(array, "density", spacing_mm=2.0)),
        ("onto", lambda: client.resample(volume, "density", onto=array)),
        ("kind", lambda: client.resample(volume, "densities", spacing_mm=2.0)),
        ("volume", lambda: client.delete_volume(array)),
        ("priority", lambda: client.submit(**placed, **RUN, priority="urgent")),
        ("states", lambda: client.jobs(["done"])),
    ):
        with pytest.raises(dosegrid.InvalidRequest) as caught:
            call()
        assert [one.field for one in caught.value.fields] == [field]


def test_look_ups(client: Any) -> None:
    kernel = client.kernel("Lu-177", (4, 4, 4), 2)
    full = kernel.full()
    assert full.shape == (5, 5, 5) and full[2, 2, 2] == kernel.s_gy_per_decay[0, 0, 0] == full.max()
    assert np.array_equal(full, full[::-1, ::-1, ::-1]) and full[3, 2, 2] == kernel.s_gy_per_decay[1, 0, 0]
    assert {"Lu-177", "Ac-225"} <= {one["name"] for one in client.nuclides()}
    assert client.nuclide("177Lu")["nuclide"]["name"] == "Lu-177"
    assert client.devices()[0]["id"] == "cpu" and client.info()["limits"]["queue_length"] == 64


def test_ten_tasks_at_a_time(server: str, placed: Any) -> None:
    async def main() -> list[bytes]:
        async with dosegrid.AsyncClient(server) as client:
            calls = [client.compute(**placed, **RUN, seed=seed % 5 + 1) for seed in range(10)]
            job = await client.submit(**placed, **RUN, seed=1)
            results = await asyncio.gather(*calls)
            assert (await job.wait()).state == "succeeded"
            assert (await job.result()).dose.gy.tobytes() == results[0].dose.gy.tobytes()
            assert (await client.job(job.name)).info.state == "succeeded" and await client.jobs()
            await job.delete()
            assert (await client.info())["version"] == dosegrid.__version__
            return [result.dose.gy.tobytes() for result in results]

    doses = asyncio.run(main())
    assert doses[:5] == doses[5:] and len(set(doses)) == 5


def test_a_task_that_is_cancelled_frees_the_device(server: str, placed: Any) -> None:
    class Own(Exception):
        pass

    async def main() -> None:
        async with dosegrid.AsyncClient(server) as client:
            begun = asyncio.Event()
            task = asyncio.ensure_future(client.compute(**placed, **ENDLESS, progress=lambda progress: begun.set()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            def raising(progress: dosegrid.Progress) -> None:
                raise Own("mine")

            with pytest.raises(Own):
                await client.compute(**placed, **ENDLESS, progress=raising)
            with pytest.raises(Own):
                await client.compute(
                    **placed, **QUICK, progress=lambda progress: raising(progress) if progress.fraction == 1 else None
                )
            with pytest.raises(dosegrid.Timeout):
                await client.compute(**placed, **ENDLESS, timeout=0.2)
            assert (await client.compute(**placed, **QUICK)).dose.gy.max() > 0

    asyncio.run(main())


def test_progress_rises_to_the_end(client: Any, placed: Any) -> None:
    heard: list[dosegrid.Progress] = []
    client.compute(**placed, **{**RUN, "histories": 200_000}, progress=heard.append)
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions) and fractions[-1] == 1 and all(str(progress) for progress in heard)


def test_a_bar_is_shown(client: Any, placed: Any, capsys: Any) -> None:
    client.compute(**placed, **QUICK, progress=True)
    assert "finish" in capsys.readouterr().err


def test_a_page_of_a_large_dose_takes_little_memory() -> None:
    values = np.zeros((96, 96, 96), np.float32)
    values[40:50, 40:50, 40:50] = 2.0
    grid = dosegrid.Grid.of_spacing(values.shape, (4, 4, 4))
    dose = dosegrid.Image(dosegrid.Volume(values, grid))
    # Stored as scanners do: HU with an intercept.
    ct = dosegrid.Volume(np.full(values.shape, 1064, np.int16), grid, "xyz", 1.0, -1024.0)
    result = dosegrid.Result(dose, None, None, None, Organs([]), [], {}, {}, {}, _background=ct)
    tracemalloc.start()
    page = result._repr_html_()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert page.count("<img") == 3 and peak < values.nbytes


def test_a_notebook_shows_slices_organs_and_warnings(client: Any, placed: Any) -> None:
    result = client.compute(**placed, labels=placed["activity"] > 50, label_names={1: "<hot>"}, **QUICK)
    page = result._repr_html_()
    assert page.count("<img") == 3 and "&lt;hot&gt;" in page and "<hot>" not in page
    assert "absorbed dose [Gy]" in page and result.warnings and result.warnings[0].reason in {"ENERGY_OUTSIDE_GRID"}
    assert np.asarray(result.dose).shape == placed["activity"].shape
