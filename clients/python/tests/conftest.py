"""A server for the tests, and small inputs."""

from __future__ import annotations

import os
import subprocess
from typing import Any, Iterator

import numpy as np
import pytest

import dosegrid

#: Voxel edges along x, y and z in mm.
SPACING_MM = (4.0, 3.0, 2.0)
SHAPE = (12, 10, 8)
#: A quick kernel dose.
QUICK = {"nuclide": "Lu-177", "unit": "mbq-h", "method": "kernel"}
#: A Monte Carlo run that does not end by itself in the time of a test.
ENDLESS = {"nuclide": "Lu-177", "unit": "mbq-h", "histories": 1e11}


@pytest.fixture(scope="session", autouse=True)
def program() -> Iterator[str]:
    """The binary under test: DOSEGRID_PROGRAM, or what is on the PATH."""
    from dosegrid._server import program

    found = program()
    for name in [name for name in os.environ if name.startswith("DOSEGRID_")]:
        del os.environ[name]
    os.environ["DOSEGRID_PROGRAM"] = found
    yield found


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where the server keeps what lasts."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def server(program: str, store: Any) -> Iterator[str]:
    """The address of a server with a store, on the CPU."""
    from dosegrid._server import LocalServer

    running = LocalServer("cpu", ["--store", str(store), "--store-reserve-mib", "1"])
    yield running.address
    assert running.stop() == 0


@pytest.fixture(scope="session")
def client(server: str) -> Iterator[dosegrid.Client]:
    """A client of that server."""
    with dosegrid.Client(server) as connected:
        yield connected


@pytest.fixture
def activity() -> Any:
    """Whole numbers from 0 to 100 that every type of element holds, indexed [x, y, z]."""
    return np.random.default_rng(5).integers(0, 100, SHAPE).astype(np.float32)


@pytest.fixture
def placed(activity: Any) -> dict[str, Any]:
    """Arguments of a dose of that map in water."""
    return {
        "activity": activity,
        "density": np.ones_like(activity),
        "spacing_mm": SPACING_MM,
        "axes": "xyz",
    }


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]
