"""A server of the client's own: it is found, it starts, and it ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from conftest import QUICK

import dosegrid
from dosegrid._server import LocalServer

#: Longest wait for a process to end, in s.
PATIENCE_S = 30.0
SCRIPT = """
import sys, dosegrid
client = dosegrid.Client(device="cpu")
client.info()
print(client._core.server.pid, flush=True)
sys.stdin.read()
"""


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_it_ends_with_its_parent(how: Any) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdin is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    if how is None:
        parent.stdin.close()
    else:
        parent.send_signal(how)
    parent.wait(PATIENCE_S)
    end = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_was_forked_does_not_keep_it() -> None:
    script = SCRIPT.replace("print(", "forked = os.fork() or (time.sleep(60), os._exit(0))\nprint(forked, ")
    parent = subprocess.Popen(
        [sys.executable, "-c", "import os, time\n" + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    forked, pid = (int(word) for word in parent.stdout.readline().split())
    assert is_running(pid) and is_running(forked)
    parent.kill()
    parent.wait(PATIENCE_S)
    end = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(pid) and is_running(forked)
    os.kill(forked, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("own", [True, False])
def test_a_process_that_was_forked_may_call(client: Any, placed: Any, own: bool) -> None:
    expected = client.compute(**placed, **QUICK).dose.gy
    with dosegrid.Client(None if own else client.url, device="cpu") as other:
        assert np.array_equal(other.compute(**placed, **QUICK).dose.gy, expected)
        forked = os.fork()
        if not forked:
            # Nothing of the test runner may run here.
            try:
                is_same = np.array_equal(other.compute(**placed, **QUICK, timeout=PATIENCE_S).dose.gy, expected)
                other.close()
                os._exit(0 if is_same else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
        assert np.array_equal(other.compute(**placed, **QUICK).dose.gy, expected)


def test_closing_the_client_ends_it() -> None:
    with dosegrid.Client(device="cpu") as client:
        assert client.info()["device"]["kind"] == "cpu"
        server = client._core.server
        assert server is not None and is_running(server.pid)
    assert not is_running(server.pid)


def test_one_that_does_not_start_says_why(monkeypatch: Any) -> None:
    with pytest.raises(dosegrid.Unavailable, match="queue-length"):
        LocalServer("cpu", ["--queue-length", "0"])
    monkeypatch.setenv("DOSEGRID_PROGRAM", "/no/such/program")
    with pytest.raises(dosegrid.Unavailable, match="DOSEGRID_PROGRAM"):
        LocalServer()


@pytest.mark.parametrize("what, words", [("exit 3", "status 3 and said nothing"), ("exec sleep 60", "does not listen")])
def test_a_program_that_is_another_is_named(monkeypatch: Any, tmp_path: Any, what: str, words: str) -> None:
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\n{what}\n")
    other.chmod(0o755)
    monkeypatch.setenv("DOSEGRID_PROGRAM", str(other))
    monkeypatch.setattr("dosegrid._server.START_S", 1.0)
    began = time.monotonic()
    with dosegrid.Client() as client, pytest.raises(dosegrid.Unavailable, match=f"{other}.*{words}"):
        client.info()
    # It is not waited for any longer.
    assert time.monotonic() - began < 4.0


def test_without_a_program_it_is_said_how_to_get_one(monkeypatch: Any) -> None:
    monkeypatch.delenv("DOSEGRID_PROGRAM")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    with dosegrid.Client() as client, pytest.raises(dosegrid.Unavailable, match="dosegrid\\[server\\]"):
        client.info()


def test_another_version_is_told(server: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("dosegrid._core.__version__", "9.9.9")
    with dosegrid.Client(server) as client, pytest.warns(UserWarning, match="9.9.9"):
        client.info()


def run(script: str, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, *script.split("\n", 1)] if script.startswith("-m") else [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_proxy_is_not_used_on_this_machine(server: str) -> None:
    script = "import dosegrid; print(dosegrid.Client().info()['version'])"
    proxy = {
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "grpc_proxy": "http://127.0.0.1:9",
    }
    assert run(script, DOSEGRID_SERVER=server, **proxy).strip() == dosegrid.__version__


def test_the_module_tells_versions_server_and_device(server: str) -> None:
    told = subprocess.run([sys.executable, "-m", "dosegrid", server], capture_output=True, text=True)
    assert told.returncode == 0 and server in told.stdout and "device cpu" in told.stdout, told
    told = subprocess.run([sys.executable, "-m", "dosegrid", "127.0.0.1:1"], capture_output=True, text=True)
    assert told.returncode == 1 and "no server listens" in told.stderr, told


def test_a_users_own_stubs_work_beside_it(server: str, tmp_path: Any) -> None:
    pytest.importorskip("grpc_tools")
    proto = os.path.join(os.path.dirname(__file__), "..", "..", "..", "proto")
    files = [os.path.join("dosegrid", "v1", name) for name in os.listdir(os.path.join(proto, "dosegrid", "v1"))]
    made = [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", f"--python_out={tmp_path}"]
    subprocess.run([*made, f"--grpc_python_out={tmp_path}", *files], check=True)
    (tmp_path / "script.py").write_text(
        "import sys, grpc, dosegrid\n"
        "from dosegrid.v1 import dose_service_pb2 as pb, dose_service_pb2_grpc as rpc\n"
        "with grpc.insecure_channel(sys.argv[1]) as channel:\n"
        "    print(rpc.DoseServiceStub(channel).GetServerInfo(pb.GetServerInfoRequest()).version)\n"
        "print(dosegrid.Client(sys.argv[1]).info()['version'])\n"
    )
    told = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), server], capture_output=True, text=True, cwd=tmp_path
    )
    assert told.stdout.split() == [dosegrid.__version__] * 2, told.stderr


def test_an_interrupt_ends_the_work_of_the_server(server: str, client: Any, placed: Any) -> None:
    script = (
        "import signal, sys, numpy as np, dosegrid\n"
        # What runs in the background of a shell ignores it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "water = np.ones((9, 9, 9))\n"
        "tell = lambda progress: print(progress.stage, flush=True)\n"
        "dosegrid.Client(sys.argv[1]).compute(water, density=water, spacing_mm=(4, 4, 4), axes='xyz',\n"
        "    nuclide='Lu-177', unit='mbq-h', histories=1e11, progress=tell)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script, server], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None and caller.stderr is not None
    while caller.stdout.readline().strip() != "dose":
        assert caller.poll() is None
    caller.send_signal(signal.SIGINT)
    told = caller.stderr.read()
    assert caller.wait(PATIENCE_S) != 0 and "KeyboardInterrupt" in told
    # The device is free: this one has it at once.
    assert client.compute(**placed, **QUICK, timeout=PATIENCE_S).dose.gy.max() > 0
