"""Every call of the protocol has a function, in both clients."""

from __future__ import annotations

import inspect
import pathlib
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2

import dosegrid
from dosegrid import _wire


def calls_of_the_protocol() -> set[str]:
    """All of them, from the descriptors that the package reads."""
    content = (pathlib.Path(_wire.__file__).parent / "descriptors.pb").read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(content).file
    services = [service for file in files if file.package == _wire.PACKAGE for service in file.service]
    return {f"{service.name}/{method.name}" for service in services for method in service.method}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Calls that were made since."""
    found: set[str] = set()
    method = _wire.method

    def spy(service: str, rpc: str) -> Any:
        found.add(f"{service}/{rpc}")
        return method(service, rpc)

    monkeypatch.setattr(_wire, "method", spy)
    return found


def test_every_call_has_a_function(server: str, placed: Any, called: set[str]) -> None:
    run = {"nuclide": "Lu-177", "unit": "mbq-h", "histories": 1000, "tally": True}
    activity = dosegrid.Volume.of_array(placed["activity"], placed["spacing_mm"], "xyz")
    with dosegrid.Client(server) as client:
        result = client.compute(**placed, **run)
        assert client.nuclides() and client.devices() and client.info()["version"]
        assert client.nuclide("Lu-177")["nuclide"]["name"] == "Lu-177"
        assert client.kernel("Lu-177", (4, 4, 4), 1).s_gy_per_decay.shape == (2, 2, 2)
        assert client.merge([result.tally], result.dose.grid).dose.gy.tobytes() == result.dose.gy.tobytes()
        assert client.resample(activity, "activity", spacing_mm=4.0).grid.spacing_mm == (4.0, 4.0, 4.0)
        region: dict[str, Any] = {"name": "a", "alpha_beta_gy": 2.6, "repair_half_time_h": 2.8}
        region["cycles"] = [{"dose_gy": 5.2, "effective_half_life_h": 50.0}]
        assert client.bed([region], "Lu-177").regions[0]["bed_gy"] > 5.2
        assert client.budget([{"name": "a", "volume_cm3": 20.0}])[0]["is_lower_bound"]
        two = [{"hours": 24.0, "activity_mbq": 2.0}, {"hours": 96.0, "activity_mbq": 1.0}]
        assert client.integrate_curves([{"name": "a", "points": two}], "Lu-177")[0]["model"] == "mono"
        scans = [
            dosegrid.Scan(activity, 24.0),
            dosegrid.Scan(dosegrid.Volume.like(activity.values / 2, activity), 96.0),
        ]
        assert client.integrate(scans, "Lu-177", "mbq").tia_mbq_h > 0
        # Volumes that no other test has, so that they are sent.
        placed["density"] = np.full_like(placed["density"], 1.0625)
        job = client.submit(**placed, **run)
        assert job.wait().state == "succeeded" and job.refresh().is_final and job.result().tally
        assert job.name in [one.name for one in client.jobs(["succeeded"])]
        assert job.cancel().state == "succeeded"
        job.delete()
        density = dosegrid.Volume.like(placed["density"], activity)
        client.delete_volume(density)
        with pytest.raises(dosegrid.NotFound):
            client.delete_volume(density)
        with pytest.raises(dosegrid.NotFound, match="volume"):
            client.delete_volume("sha256:" + 64 * "0")
    assert called == calls_of_the_protocol()


def public(kind: type) -> dict[str, list[str]]:
    """Functions of a class with their parameters; a task is cancelled in another way."""
    functions = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: [one for one in inspect.signature(function).parameters if one != "cancel"]
        for name, function in functions
        if not name.startswith("_")
    }


@pytest.mark.parametrize("kinds", [(dosegrid.Client, dosegrid.AsyncClient), (dosegrid.Job, dosegrid.AsyncJob)])
def test_both_clients_have_the_same_functions(kinds: tuple[type, type]) -> None:
    for_programs, for_tasks = (public(kind) for kind in kinds)
    assert for_programs == for_tasks
    assert "delete" in for_programs or "integrate_curves" in for_programs
