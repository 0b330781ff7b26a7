"""Biologically effective doses and budgets by a server."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import dosegrid

REGION = {
    "name": "kidneys",
    "label": 3,
    "alpha_beta_gy": 2.6,
    "repair_half_time_h": 2.8,
    "cycles": [
        {"dose_gy": 5.2, "effective_half_life_h": 50.0},
        {"dose_gy": 4.0, "start_h": 1344.0, "effective_half_life_h": 40.0},
    ],
}


def closed_form(first: Any, second: Any) -> Any:
    """BED of that region in Gy."""
    return first + second + (2.8 / 52.8 * first**2 + 2.8 / 42.8 * second**2) / 2.6


def placed(values: Any) -> dosegrid.Volume:
    """A volume of a map."""
    return dosegrid.Volume.of_array(values, (4.0, 3.0, 2.0), "zyx")


def test_bed_of_regions(client: dosegrid.Client) -> None:
    found = client.bed([REGION], "Lu-177")
    assert found.regions[0]["bed_gy"] == pytest.approx(closed_form(5.2, 4.0), rel=1e-12)
    assert found.regions[0]["cycles"][1]["lea_catcheside_factor"] == pytest.approx(2.8 / 42.8)
    assert found.bed is None and "Linear-quadratic" in found.note
    again = asyncio.run(_bed(client.url))
    assert again.regions == found.regions


async def _bed(url: str) -> dosegrid.Bed:
    async with dosegrid.AsyncClient(url) as client:
        return await client.bed([REGION], "Lu-177")


def test_bed_of_voxels(client: dosegrid.Client) -> None:
    generator = np.random.default_rng(3)
    first, second = (generator.uniform(1, 5, (4, 5, 6)).astype(np.float32) for _ in range(2))
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3] = 3
    cycles = [{name: value for name, value in cycle.items() if name != "dose_gy"} for cycle in REGION["cycles"]]  # type: ignore[attr-defined]
    region = {**REGION, "cycles": cycles}
    found = client.bed([region], "Lu-177", doses=[placed(first), placed(second)], labels=placed(labels))
    expected = np.where(labels == 3, closed_form(first.astype(float), second.astype(float)), 0)
    assert found.bed is not None and found.eqd2 is not None
    np.testing.assert_allclose(found.bed.gy, expected, rtol=1e-6)
    np.testing.assert_allclose(found.eqd2.gy, expected / (1 + 2 / 2.6), rtol=1e-6)
    assert found.regions[0]["bed_gy"] == pytest.approx(expected[labels == 3].mean(), rel=1e-6)
    assert found.voxels_without_bed == 60


def test_every_fault_is_named_by_its_path(client: dosegrid.Client) -> None:
    with pytest.raises(dosegrid.InvalidRequest) as error:
        client.bed([{**REGION, "alpha_beta_gy": None}], "Lu-177")
    assert [field.field for field in error.value.fields] == ["regions[0].alpha_beta_gy"]
    cycles = [{"dose_gy": 5.2, "half_life_h": 50.0}, {"dose_gy": "five"}]
    with pytest.raises(dosegrid.InvalidRequest) as error:
        client.bed([{**REGION, "alpha_beta": 3, "cycles": cycles}], "Lu-177", doses=[np.ones((2, 2, 2))])
    assert {field.field for field in error.value.fields} == {
        "regions[0].alpha_beta",
        "regions[0].cycles[0].half_life_h",
        "regions[0].cycles[1].dose_gy",
        "doses[0]",
    }


def test_budget(client: dosegrid.Client) -> None:
    region = {"name": "liver", "volume_cm3": 1500.0, "calibration_relative_sigma": 0.03, "fit_relative_sigma": 0.04}
    found = client.budget([region])[0]
    assert found["dose_relative_sigma"] == pytest.approx(0.05) and found["is_lower_bound"]
    sources = {part["name"]: part["source"] for part in found["parts"]}
    assert (sources["calibration"], sources["monte_carlo"]) == ("given", "not_given")
