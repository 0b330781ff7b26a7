"""Whatever goes wrong is one exception of the right class, nothing hangs, and the next call works."""

from __future__ import annotations

import functools
import os
import pathlib
import re
import signal
import threading
import time
from typing import Any, Iterator

import numpy as np
import pytest
from conftest import ENDLESS, QUICK

import dosegrid
from dosegrid import _errors, _result, _upload
from dosegrid._server import LocalServer

#: How often each fault is made.
FAULTS = int(os.environ.get("FAULTS", "2"))
#: No call of these tests may take longer, in s.
PATIENCE_S = 60.0
API = pathlib.Path(__file__).resolve().parents[3] / "docs" / "api.md"


@pytest.fixture(scope="module")
def own() -> Iterator[dosegrid.Client]:
    """A client with a server of its own, which may be killed: the next call starts another."""
    with dosegrid.Client(device="cpu") as client:
        yield client


def kill(client: dosegrid.Client) -> None:
    server = client._core.server
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)


@pytest.mark.parametrize("_", range(FAULTS))
def test_a_server_killed_during_an_upload(own: Any, placed: Any, monkeypatch: Any, _: int) -> None:
    pieces = _upload.pieces

    def killing(values: Any, dtype: Any) -> Iterator[memoryview]:
        for number, piece in enumerate(pieces(values, dtype)):
            if number == 3:
                kill(own)
            yield piece

    own.info()
    monkeypatch.setattr(_upload, "pieces", killing)
    large = np.zeros((128, 128, 128), np.float32)
    with pytest.raises(dosegrid.Unavailable, match="lost|refused|listens"):
        own.compute(large, density=large, spacing_mm=(4, 4, 4), axes="xyz", timeout=PATIENCE_S, **QUICK)
    monkeypatch.undo()
    assert own.compute(**placed, **QUICK).dose.gy.max() > 0


@pytest.mark.parametrize("_", range(FAULTS))
def test_a_server_killed_while_it_computes(own: Any, placed: Any, _: int) -> None:
    def killing(progress: dosegrid.Progress) -> None:
        if progress.stage == "dose":
            kill(own)

    with pytest.raises(dosegrid.Unavailable) as caught:
        own.compute(**placed, **ENDLESS, progress=killing, timeout=PATIENCE_S)
    assert caught.value.request_id
    assert own.compute(**placed, **QUICK).dose.gy.max() > 0


@pytest.mark.parametrize("_", range(FAULTS))
def test_a_server_killed_during_a_download(own: Any, placed: Any, monkeypatch: Any, _: int) -> None:
    take = _result.Incoming.take

    def killing(incoming: Any, name: str, offset: int, data: bytes) -> None:
        if offset == 0:
            kill(own)
        take(incoming, name, offset, data)

    monkeypatch.setattr(_result.Incoming, "take", killing)
    large = np.ones((220, 220, 200), np.uint8)
    with pytest.raises(dosegrid.Unavailable):
        own.compute(
            large,
            density=large,
            spacing_mm=(4, 4, 4),
            axes="xyz",
            nuclide="Lu-177",
            unit="mbq-h",
            method="local",
            timeout=PATIENCE_S,
        )
    monkeypatch.undo()
    assert own.compute(**placed, **QUICK).dose.gy.max() > 0


@pytest.mark.parametrize("_", range(10 * FAULTS))
def test_a_deadline_is_a_timeout(client: Any, placed: Any, _: int) -> None:
    with pytest.raises(dosegrid.Timeout) as caught:
        client.compute(**placed, **ENDLESS, timeout=0.1)
    assert isinstance(caught.value, TimeoutError)


def test_a_deadline_covers_the_wait_for_the_device(client: Any, placed: Any) -> None:
    with occupied(client, placed):
        with pytest.raises(dosegrid.Timeout):
            client.compute(**placed, **ENDLESS, timeout=0.2)
    assert client.compute(**placed, **QUICK).dose.gy.max() > 0


class occupied:
    """A computation that has the device until this ends."""

    def __init__(self, client: Any, placed: Any) -> None:
        self.cancel, self.begun = dosegrid.Cancel(), threading.Event()
        self.error: Any = None
        self.thread = threading.Thread(target=self.run, args=(client, placed))

    def run(self, client: Any, placed: Any) -> None:
        tell = lambda progress: self.begun.set() if progress.stage == "dose" else None  # noqa: E731
        try:
            client.compute(**placed, **ENDLESS, progress=tell, cancel=self.cancel)
        except dosegrid.DosegridError as error:
            self.error = error

    def __enter__(self) -> Any:
        self.thread.start()
        assert self.begun.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: Any) -> None:
        self.cancel.cancel()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("_", range(FAULTS))
def test_a_call_is_cancelled_from_another_thread(client: Any, placed: Any, _: int) -> None:
    with occupied(client, placed) as other:
        pass
    assert type(other.error) is dosegrid.Cancelled
    with pytest.raises(dosegrid.Cancelled):
        client.compute(**placed, **QUICK, cancel=other.cancel)
    assert client.compute(**placed, **QUICK).dose.gy.max() > 0


def test_a_busy_server_says_when_to_come_back(placed: Any) -> None:
    server = LocalServer("cpu", ["--queue-length", "1"])
    with dosegrid.Client(server.address, retries=0) as client, occupied(client, placed):
        waiting = dosegrid.Cancel()
        told: list[dosegrid.Progress] = []
        waits = threading.Event()

        def tell(progress: dosegrid.Progress) -> None:
            told.append(progress)
            waits.set()

        def wait() -> None:
            with pytest.raises(dosegrid.Cancelled):
                client.compute(**placed, **ENDLESS, progress=tell, cancel=waiting)

        second = threading.Thread(target=wait)
        second.start()
        assert waits.wait(PATIENCE_S)
        assert (told[0].stage, told[0].calls_ahead, told[0].fraction) == ("queued", 1, 0.0)
        for _ in range(FAULTS):
            with pytest.raises(dosegrid.ServerBusy) as caught:
                client.compute(**placed, **QUICK)
            assert caught.value.reason == "SERVER_BUSY" and caught.value.retry_after_s >= 1
            assert caught.value.metadata["what"] == "the queue"
        waiting.cancel()
        second.join(PATIENCE_S)
    assert server.stop() == 0


def test_a_server_of_its_own_that_is_busy_is_asked_again(placed: Any, monkeypatch: Any) -> None:
    start = functools.partial(LocalServer, flags=["--queue-length", "1"])
    monkeypatch.setattr("dosegrid._core.LocalServer", start)
    with dosegrid.Client(device="cpu", retries=8) as client, occupied(client, placed) as first:
        waits, waiting = threading.Event(), dosegrid.Cancel()

        def wait() -> None:
            with pytest.raises(dosegrid.Cancelled):
                client.compute(**placed, **ENDLESS, progress=lambda _: waits.set(), cancel=waiting)

        second = threading.Thread(target=wait)
        second.start()
        assert waits.wait(PATIENCE_S)
        for cancel in first.cancel, waiting:
            threading.Timer(0.5, cancel.cancel).start()
        # Its first try finds the queue full.
        assert client.compute(**placed, **QUICK, timeout=PATIENCE_S).dose.gy.max() > 0
        second.join(PATIENCE_S)


def test_what_can_never_fit_is_too_large() -> None:
    server = LocalServer("cpu", ["--max-volume-mib", "1"])
    with dosegrid.Client(server.address) as client:
        large = np.zeros((100, 100, 100), np.float32)
        with pytest.raises(dosegrid.TooLarge) as caught:
            client.compute(large, density=large, spacing_mm=(4, 4, 4), axes="xyz", **QUICK)
        assert int(caught.value.metadata["limit_bytes"]) == 1 << 20
    server.stop()


def test_what_raises_in_the_callers_code_reaches_the_caller(client: Any, placed: Any, monkeypatch: Any) -> None:
    class Own(Exception):
        pass

    def raising(*_: Any) -> Any:
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        client.compute(**placed, **ENDLESS, progress=raising)
    pieces = _upload.pieces

    def broken(values: Any, dtype: Any) -> Iterator[memoryview]:
        yield next(pieces(values, dtype))[:4]
        raise OSError("the disk is gone")

    monkeypatch.setattr(_upload, "pieces", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        client.compute(**placed, **QUICK)
    monkeypatch.undo()
    assert client.compute(**placed, **QUICK).dose.gy.max() > 0


def test_messages_say_what_to_do(server: str) -> None:
    port = server.rpartition(":")[2]
    for address, said in [
        ("127.0.0.1:1", "no server listens"),
        (f"https://127.0.0.1:{port}", "no TLS"),
        ("no-such-host.invalid:1", "no host"),
    ]:
        with dosegrid.Client(address) as client, pytest.raises(dosegrid.Unavailable, match=said):
            client.info()
    for address in "localhost", "http://localhost:1/path", "ftp://localhost:1", "localhost:0", ":50051":
        with pytest.raises(dosegrid.InvalidRequest) as caught:
            dosegrid.Client(address)
        assert caught.value.fields[0].field == "server"
    with dosegrid.Client(f"http://127.0.0.1:{port}") as client:
        assert client.url == f"http://127.0.0.1:{port}"
    with pytest.raises(dosegrid.Unavailable, match="closed"):
        client.info()


def test_what_does_not_answer_is_given_up() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with (
            dosegrid.Client(address, connect_timeout=0.5) as client,
            pytest.raises(dosegrid.Unavailable, match="0.5 s"),
        ):
            client.info()
        with dosegrid.Client(address) as client, pytest.raises(dosegrid.Timeout):
            client.info(timeout=0.5)


def test_a_wait_for_the_connection_ends_with_its_call(placed: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = dosegrid.Client(f"127.0.0.1:{deaf.getsockname()[1]}", connect_timeout=PATIENCE_S)
        cancel, found = dosegrid.Cancel(), {}

        def call(name: str, **more: Any) -> None:
            try:
                client.compute(**placed, **QUICK, **more)
            except dosegrid.DosegridError as error:
                found[name] = type(error)

        # The first connects, the others wait for it.
        threads = [
            threading.Thread(target=call, args=("first",), kwargs={"cancel": cancel}),
            threading.Thread(target=call, args=("second",), kwargs={"cancel": cancel}),
            threading.Thread(target=call, args=("third",), kwargs={"timeout": 0.3}),
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        threads[2].join(PATIENCE_S)
        assert found == {"third": dosegrid.Timeout}
        cancel.cancel()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert found["first"] is found["second"] is dosegrid.Cancelled
        assert time.monotonic() - began < PATIENCE_S / 2


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_a_timeout_without_end_is_none(client: Any, placed: Any, timeout: float) -> None:
    assert client.compute(**placed, **QUICK, timeout=timeout).dose.gy.max() > 0


def test_a_dose_of_which_a_part_is_missing_is_none(client: Any, placed: Any, monkeypatch: Any) -> None:
    take = _result.Incoming.take
    for change in (
        lambda incoming, name, offset, data: take(incoming, name, offset, data[:-4]),
        lambda incoming, name, offset, data: take(incoming, name, offset + 4, data[:-4]),
        lambda incoming, name, offset, data: take(incoming, name, offset, data + data),
    ):
        monkeypatch.setattr(_result.Incoming, "take", change)
        with pytest.raises(dosegrid.EngineFailure, match="bytes"):
            client.compute(**placed, **QUICK)


def test_unknown_names_are_not_found(client: Any) -> None:
    with pytest.raises(dosegrid.NotFound, match="Lu-177") as caught:
        client.nuclide("Lu-178")
    assert caught.value.reason == "UNKNOWN_NUCLIDE" and isinstance(caught.value, LookupError)


#: Classes of the reasons that docs/api.md lists, where they do not follow from the code.
CLASSES = {
    "REQUEST_TOO_LARGE": dosegrid.TooLarge,
    "MESSAGE_TOO_LARGE": dosegrid.TooLarge,
    "SERVER_BUSY": dosegrid.ServerBusy,
    "QUOTA_EXCEEDED": dosegrid.ServerBusy,
    "CANCELLED": dosegrid.Cancelled,
    "DEADLINE_EXCEEDED": dosegrid.Timeout,
    "STREAM_STALLED": dosegrid.Timeout,
    "SHUTTING_DOWN": dosegrid.Unavailable,
    "DEVICE_LOST": dosegrid.Unavailable,
    "DEVICE_UNAVAILABLE": dosegrid.EngineFailure,
    "DEVICE_REFUSED": dosegrid.EngineFailure,
    "ENERGY_BALANCE": dosegrid.EngineFailure,
    "DOSE_NOT_PHYSICAL": dosegrid.EngineFailure,
    "INTERNAL": dosegrid.EngineFailure,
    "VOLUME_DAMAGED": dosegrid.EngineFailure,
    "UNAUTHENTICATED": dosegrid.Unavailable,
    "JOB_NOT_FOUND": dosegrid.NotFound,
    "WRONG_OFFSET": dosegrid.InvalidRequest,
    "IMPLAUSIBLE": dosegrid.InvalidRequest,
}


def test_every_reason_of_the_service_has_a_class() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| (`[A-Z_`, ]+`) \|", API.read_text(), re.M)
    found = {reason: code for code, reasons in rows for reason in re.findall(r"`([A-Z_]+)`", reasons)}
    assert set(CLASSES) <= set(found) and len(found) > 25
    for reason, code in found.items():
        expected = CLASSES.get(reason, _errors._BY_CODE.get(code, dosegrid.EngineFailure))
        details = _errors.Details(reason)
        error = _errors.from_status(code, "said", details, address="a", cancelled_here=code == "CANCELLED")
        assert type(error) is expected, (code, reason)


def test_a_deadline_that_comes_as_cancelled_is_a_timeout() -> None:
    for here, passed, kind in (True, False, dosegrid.Cancelled), (False, True, dosegrid.Timeout):
        error = _errors.from_status(
            "CANCELLED", "", _errors.Details(), address="a", cancelled_here=here, deadline_passed=passed
        )
        assert type(error) is kind


def test_a_refused_call_is_sent_again_as_the_server_asks(client: Any, placed: Any, monkeypatch: Any) -> None:
    from dosegrid import _calls

    tries, pauses = [], []
    exchange = _calls.Connection.exchange

    def refusing(self: Any, method: Any, *arguments: Any, **named: Any) -> Any:
        if method.path.endswith("Compute"):
            tries.append(time.monotonic())
            if len(tries) < 3:
                raise dosegrid.ServerBusy("full", reason="SERVER_BUSY", retry_after_s=0.01, code="RESOURCE_EXHAUSTED")
        return exchange(self, method, *arguments, **named)

    monkeypatch.setattr(_calls.Connection, "exchange", refusing)
    monkeypatch.setattr(_calls.Cancel, "_pause", lambda self, seconds: pauses.append(seconds))
    assert client.compute(**placed, **QUICK).dose.gy.max() > 0
    assert len(tries) == 3 and pauses == [0.01, 0.01]
