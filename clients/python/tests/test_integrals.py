"""Activity over time and its integrals by a server."""

from __future__ import annotations

import asyncio
import datetime
import math
from typing import Any

import numpy as np
import pytest

import dosegrid

#: Effective half-life of what is made here, in h, and its rate.
HALF_LIFE_H = 60.0
RATE = math.log(2) / HALF_LIFE_H
HOURS = (24.0, 96.0, 168.0)


def placed(values: Any) -> dosegrid.Volume:
    """A volume of a map."""
    return dosegrid.Volume.of_array(values, (4.0, 3.0, 2.0), "zyx")


def activity(amplitude: Any, hours: float) -> Any:
    """Activity after so many hours."""
    return amplitude * math.exp(-RATE * hours)


def points(amplitude: float) -> list[dict[str, Any]]:
    """Measurements of a region."""
    return [{"hours": hours, "activity_mbq": activity(amplitude, hours)} for hours in HOURS]


@pytest.fixture
def amplitude() -> Any:
    """A map of activities at time 0."""
    return np.random.default_rng(4).uniform(1, 2, (4, 5, 6))


@pytest.mark.parametrize("voxelwise", [False, True])
def test_maps(client: dosegrid.Client, amplitude: Any, voxelwise: bool) -> None:
    scans = [dosegrid.Scan(placed(activity(amplitude, hours)), hours) for hours in HOURS]
    found = client.integrate(
        scans,
        "Lu-177",
        "mbq",
        voxelwise=voxelwise,
        administered_activity_mbq=7400.0,
        activity_relative_sigma=0.1,
        uncertainty=True,
        kind_map=voxelwise,
    )
    assert found.tia_mbq_h == pytest.approx(float(amplitude.sum()) / RATE, rel=1e-5)
    np.testing.assert_allclose(found.tia.numbers(), amplitude / RATE * 3.6e9, rtol=1e-4)
    assert found.uncertainty is not None and np.all(found.uncertainty.numbers() > 0)
    if voxelwise:
        assert found.voxel_kinds[0]["voxels"] == 120
        assert found.kind_map is not None and not found.kind_map.numbers().any()
    else:
        assert found.regions[0]["half_lives_h"] == pytest.approx([HALF_LIFE_H], rel=1e-5)
        relative = found.uncertainty.numbers() / found.tia.numbers()
        expected = found.regions[0]["tia_sigma_mbq_h"] / found.regions[0]["tia_mbq_h"]
        np.testing.assert_allclose(relative, expected, rtol=1e-5)
    # A dose takes it as it is.
    dose = client.compute(found.tia, density=placed(np.ones((4, 5, 6))), nuclide="Lu-177", unit="bq-s", method="local")
    assert dose.dose.gy.shape == (4, 5, 6)


def test_one_scan(client: dosegrid.Client, amplitude: Any) -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[:2] = 3
    population = {"method": "population_half_life", "half_life_h": HALF_LIFE_H, "half_life_relative_sd": 0.2}
    scan = dosegrid.Scan(placed(activity(amplitude, 96.0)), 96.0)
    known: dict[int, Any] = {3: population, 0: {"method": "haenscheid"}}
    found = client.integrate(
        [scan], "Lu-177", "mbq", labels=placed(labels), one_scan=known, activity_relative_sigma=0.05, uncertainty=True
    )
    assert [region["name"] for region in found.regions] == ["label_3", "rest"]
    assert [region["method"] for region in found.regions] == ["population_half_life", "haenscheid"]
    kidneys, rest = found.regions
    assert kidneys["label"] == 3 and kidneys["voxels"] == 60
    assert kidneys["tia_mbq_h"] == pytest.approx(float(amplitude[:2].sum()) / RATE, rel=1e-5)
    # Gustafsson and Taprogge (2022), with the activity's own.
    x, s = RATE * 96.0, 0.2
    relative = math.sqrt(0.05**2 + (1 - x) ** 2 * s**2 + 0.5 * x**2 * s**4)
    assert kidneys["tia_sigma_mbq_h"] == pytest.approx(relative * kidneys["tia_mbq_h"], rel=1e-5)
    # That rule has no sigma, and so the map of both has none.
    assert "tia_sigma_mbq_h" not in rest and found.uncertainty is None
    of_both = {"one_scan": {0: population}, "activity_relative_sigma": 0.05, "uncertainty": True}
    both = client.integrate([scan], "Lu-177", "mbq", labels=placed(labels), **of_both)  # type: ignore[arg-type]
    assert both.uncertainty is not None
    np.testing.assert_allclose(both.uncertainty.numbers() / both.tia.numbers(), relative, rtol=1e-5)
    expected = 2 * 96.0 / math.log(2) * float(activity(amplitude[2:], 96.0).sum())
    assert rest["tia_mbq_h"] == pytest.approx(expected, rel=1e-5)
    assert found.tia_mbq_h == pytest.approx(kidneys["tia_mbq_h"] + rest["tia_mbq_h"], rel=1e-5)
    with pytest.raises(dosegrid.InvalidRequest, match="one_scan"):
        client.integrate([scan], "Lu-177", "mbq")


def test_curves(client: dosegrid.Client) -> None:
    first = {"name": "kidneys", "points": points(100.0)}
    # One measurement, with the curve of the first region: the same shape.
    two = client.integrate_curves([first], "Lu-177", model="mono", administered_activity_mbq=7400.0)
    curve = two[0]
    assert curve["name"] == "kidneys" and curve["model"] == "mono"
    assert curve["half_lives_h"] == pytest.approx([HALF_LIFE_H], rel=1e-6)
    assert curve["tia_mbq_h"] == pytest.approx(100.0 / RATE, rel=1e-6)
    assert curve["tia_coefficient_h"] == pytest.approx(100.0 / RATE / 7400.0, rel=1e-6)
    assert [point["time_h"] for point in curve["points"]] == list(HOURS)
    assert not {"label", "voxels", "reference_time_h"} & set(curve)
    prior = {"method": "prior_curve", "curve_model": "mono", "curve_parameters": np.array(curve["parameters"])}
    one = {"name": "kidneys, later", "points": points(80.0)[1:2], "one_point": prior}
    found = client.integrate_curves([one, first], "Lu-177")
    assert [region["name"] for region in found] == ["kidneys, later", "kidneys"]
    assert found[0]["method"] == "prior_curve"
    assert found[0]["tia_mbq_h"] == pytest.approx(80.0 / RATE, rel=1e-6)
    again = asyncio.run(_curves(client.url, [one, first]))
    assert again == found


async def _curves(url: str, regions: Any) -> Any:
    async with dosegrid.AsyncClient(url) as client:
        return await client.integrate_curves(regions, "Lu-177")


def test_curves_by_a_clock(client: dosegrid.Client) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    injection = datetime.datetime(2026, 3, 28, 9, 30, tzinfo=zone)
    by_clock = [
        {"clock": injection + datetime.timedelta(hours=one["hours"]), "activity_mbq": one["activity_mbq"]}
        for one in points(50.0)
    ]
    by_hours = client.integrate_curves([{"name": "a", "points": points(50.0)}], "Lu-177")
    found = client.integrate_curves([{"name": "a", "points": by_clock}], "Lu-177", injection=injection)
    assert found[0]["tia_mbq_h"] == pytest.approx(by_hours[0]["tia_mbq_h"], rel=1e-12)


def test_faults_of_curves_and_maps(client: dosegrid.Client) -> None:
    both = [{"hours": 24.0, "clock": "2026-03-28T09:30:00+01:00", "activity_mbq": 1.0}]
    with pytest.raises(dosegrid.InvalidRequest) as error:
        client.integrate_curves([{"name": "a", "points": both}, {"points": [{"activity": 2.0}]}], "Lu-177")
    assert {field.field for field in error.value.fields} == {
        "regions[0].points[0].clock",
        "regions[1].points[0].activity",
    }
    # What only the server knows has the path of its measurement.
    bad = [{"hours": 24.0, "activity_mbq": 5.0, "sigma_mbq": 0.0}, {"hours": 96.0, "activity_mbq": 2.0, "sigma_mbq": 1}]
    with pytest.raises(dosegrid.InvalidRequest) as error:
        client.integrate_curves([{"name": "a", "points": bad}], "Lu-177")
    assert [field.field for field in error.value.fields] == ["regions[0].points[0].sigma_mbq"]
    with pytest.raises(dosegrid.InvalidRequest) as error:
        client.integrate([], "Lu-177", "becquerel", value_refers_to="birth")  # type: ignore[arg-type]
    assert [field.field for field in error.value.fields] == ["value_refers_to", "unit"]
    with pytest.raises(TypeError, match="modell"):
        client.integrate_curves([], "Lu-177", modell="mono")  # type: ignore[call-arg]


def test_progress_of_a_task_is_told_on_its_loop(client: dosegrid.Client, amplitude: Any) -> None:
    heard: list[float] = []

    async def run() -> None:
        scans = [dosegrid.Scan(placed(activity(amplitude, hours)), hours) for hours in HOURS]
        loop = asyncio.get_running_loop()

        def hear(fraction: float) -> None:
            assert asyncio.get_running_loop() is loop
            heard.append(fraction)

        async with dosegrid.AsyncClient(client.url) as other:
            await other.integrate(scans, "Lu-177", "mbq", voxelwise=True, progress=hear)

    asyncio.run(run())
    assert heard and heard[-1] == 1.0
