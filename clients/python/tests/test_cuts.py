"""Servers that are away, answer late, or cut what they send: how often a call is sent again, and what ends it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import Any, Callable, Iterator

import grpc
import numpy as np
import pytest

import dosegrid
from dosegrid import _address, _calls, _errors, _wire

#: No call of these tests may take longer, in s.
PATIENCE_S = 30.0
LU = {"nuclide": "Lu-177", "unit": "mbq-h", "method": "kernel"}


class Stand:
    """A server whose answers are those of a test: of each call a function of its messages and its context.

    :param calls: by name; `GetServerInfo` answers by itself
    """

    def __init__(self, calls: dict[str, Callable[[Iterator[bytes], Any], Iterator[Any]]], port: int = 0) -> None:
        self._calls = {"GetServerInfo": self.info, **calls}
        #: Names of the calls that came, in order.
        self.came: list[str] = []
        options = [("grpc.so_reuseport", 0)]
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(100), options=options)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]

        def answer(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
            self.came.append(name)
            for message in self._calls[name](messages, context):
                yield message.SerializeToString()

        return grpc.stream_stream_rpc_method_handler(answer)

    def info(self, messages: Any, context: Any) -> Iterator[Any]:
        yield _wire.message("GetServerInfoResponse")(version=dosegrid.__version__)

    def stop(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def stand() -> Iterator[Callable[..., Stand]]:
    made: list[Stand] = []

    def make(**calls: Any) -> Stand:
        made.append(Stand(calls))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Endless:
    """A call that only its caller ends."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    def __call__(self, messages: Any, context: Any) -> Iterator[Any]:
        context.add_callback(self.ended.set)
        self.begun.set()
        self.ended.wait(PATIENCE_S)
        yield from ()


def test_a_server_that_is_back_is_found_soon() -> None:
    away_s, soon_s = 6.0, 2.0
    first = Stand({})
    with dosegrid.Client(f"127.0.0.1:{first.port}", retries=0) as client:
        assert client.info()["version"]
        first.stop()
        end = time.monotonic() + away_s
        while time.monotonic() < end:
            # Each call that fails makes gRPC wait longer before it tries to connect again.
            with pytest.raises(dosegrid.Unavailable):
                client.info()
            time.sleep(0.1)
        again = Stand({}, first.port)
        end = time.monotonic() + soon_s
        while True:
            try:
                assert client.info()["version"]
                break
            except dosegrid.Unavailable:
                assert time.monotonic() < end, "the server is back, and calls still fail"
                time.sleep(0.05)
        again.stop()


def away(messages: Any, context: Any) -> Iterator[Any]:
    context.abort(grpc.StatusCode.UNAVAILABLE, "away")
    yield


def test_an_upload_is_sent_again_as_often_as_was_said(stand: Any) -> None:
    retries, asked = 2, 0

    def check(messages: Iterator[bytes], context: Any) -> Iterator[Any]:
        nonlocal asked
        asked += 1
        if asked > 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        request = _wire.message("CheckVolumesRequest").FromString(next(messages))
        answer = _wire.message("CheckVolumesResponse")()
        for digest in request.digests:
            answer.volumes.add(digest=digest)
        yield answer

    server = stand(CheckVolumes=check, PutVolume=away)
    water = np.ones((3, 3, 3))
    with dosegrid.Client(f"127.0.0.1:{server.port}", retries=retries) as client:
        with pytest.raises(dosegrid.Unavailable, match="away"):
            client.submit(water, density=water, spacing_mm=(4, 4, 4), axes="xyz", **LU)
    # Once for all volumes, then once a try of the first upload.
    assert server.came.count("CheckVolumes") == 1 + (1 + retries)


def test_tries_that_bring_something_do_not_count() -> None:
    connection = _calls.Connection(_address.access("127.0.0.1:1"), 1, lambda: None)
    cuts, come, tries = 4, 0, 0

    def cut(more: int) -> str:
        nonlocal come, tries
        come, tries = come + more, tries + 1
        if tries <= cuts:
            raise _errors.Unavailable("cut", code="UNAVAILABLE")
        return "whole"

    def again(more: int) -> str:
        return connection.again(lambda: cut(more), _calls.is_idle, _calls.Deadline(None), None, lambda: come)

    assert again(7) == "whole" and tries == cuts + 1
    tries = 0
    with pytest.raises(dosegrid.Unavailable):
        again(0)
    assert tries == 2
    connection.close()


def test_a_watch_that_ends_before_its_job_is_begun_again(stand: Any) -> None:
    watched = 0

    def watch(messages: Any, context: Any) -> Iterator[Any]:
        nonlocal watched
        watched += 1
        answer = _wire.message("WatchJobResponse")()
        answer.job.name = "jobs/1"
        state = "SUCCEEDED" if watched == 4 else "RUNNING"
        answer.job.state = _wire.number("JobState", f"JOB_STATE_{state}")
        yield answer
        if watched == 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")

    def get(messages: Any, context: Any) -> Iterator[Any]:
        answer = _wire.message("GetJobResponse")()
        answer.job.name = "jobs/1"
        yield answer

    server = stand(WatchJob=watch, GetJob=get)
    with dosegrid.Client(f"127.0.0.1:{server.port}") as client:
        began = time.monotonic()
        assert client.job("jobs/1").wait(timeout=PATIENCE_S).state == "succeeded"
        # It does not ask without a pause.
        assert watched == 4 and time.monotonic() - began > 0.4


def test_a_wait_for_a_job_outlasts_the_restart_of_its_server() -> None:
    away_s = 3.0

    def job(name: str, state: str) -> Any:
        answer = _wire.message(name)()
        answer.job.name = "jobs/1"
        answer.job.state = _wire.number("JobState", f"JOB_STATE_{state}")
        return answer

    work = Endless()

    def watch(messages: Any, context: Any) -> Iterator[Any]:
        yield job("WatchJobResponse", "RUNNING")
        yield from work(messages, context)

    first = Stand({"WatchJob": watch, "GetJob": lambda *_: iter([job("GetJobResponse", "RUNNING")])})
    again: list[Stand] = []

    def restart() -> None:
        work.begun.wait(PATIENCE_S)
        first.stop()
        time.sleep(away_s)
        again.append(Stand({"WatchJob": lambda *_: iter([job("WatchJobResponse", "SUCCEEDED")])}, first.port))

    restarts = threading.Thread(target=restart)
    restarts.start()
    with dosegrid.Client(f"127.0.0.1:{first.port}", retries=1) as client:
        assert client.job("jobs/1").wait(timeout=PATIENCE_S).state == "succeeded"
    restarts.join(PATIENCE_S)
    again[0].stop()


CALLS = {
    "Resample": lambda client, **more: client.resample(
        dosegrid.Volume.of_array(np.ones((3, 3, 3)), (4, 4, 4), "xyz"), "density", spacing_mm=2.0, **more
    ),
    "ComputeKernel": lambda client, **more: client.kernel("Lu-177", (4, 4, 4), 2, **more),
    "MergeTallies": lambda client, **more: client.merge(
        [b"abc"], dosegrid.Grid.of_spacing((3, 3, 3), (4, 4, 4)), **more
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_long_call_ends_with_its_caller(stand: Any, name: str) -> None:
    work = Endless()
    address = f"127.0.0.1:{stand(**{name: work}).port}"
    with dosegrid.Client(address) as client:
        cancel = dosegrid.Cancel()
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(dosegrid.Cancelled):
            CALLS[name](client, cancel=cancel)
        assert work.ended.wait(PATIENCE_S)

    async def task() -> None:
        async with dosegrid.AsyncClient(address) as tasks:
            running = asyncio.ensure_future(CALLS[name](tasks))
            await asyncio.get_running_loop().run_in_executor(None, work.begun.wait, PATIENCE_S)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert await asyncio.get_running_loop().run_in_executor(None, work.ended.wait, PATIENCE_S)

    for event in work.begun, work.ended:
        event.clear()
    asyncio.run(task())


@pytest.mark.parametrize("is_connected", [False, True])
def test_closing_a_client_ends_what_waits(stand: Any, is_connected: bool) -> None:
    work = Endless()
    server = stand(ListDevices=work, **({} if is_connected else {"GetServerInfo": work}))
    client = dosegrid.Client(f"127.0.0.1:{server.port}", connect_timeout=PATIENCE_S)
    found: list[Any] = []

    def call() -> None:
        try:
            client.devices()
        except dosegrid.DosegridError as error:
            found.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert work.begun.wait(PATIENCE_S)
    began = time.monotonic()
    client.close()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 3
    assert [type(error) for error in found] == 2 * [dosegrid.Unavailable]
    assert all("the client is closed: make another" in str(error) for error in found), found


def test_a_client_of_tasks_is_closed_however_many_wait(stand: Any) -> None:
    work = Endless()
    server = stand(ListDevices=work)

    async def main() -> list[Any]:
        client = dosegrid.AsyncClient(f"127.0.0.1:{server.port}", retries=0)
        await client.info()
        # More than it has threads.
        waiting = [asyncio.ensure_future(client.devices()) for _ in range(70)]
        await asyncio.get_running_loop().run_in_executor(None, work.begun.wait, PATIENCE_S)
        await asyncio.wait_for(client.close(), PATIENCE_S / 3)
        return list(await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), PATIENCE_S / 3))

    found = asyncio.run(main())
    assert {type(one) for one in found} == {dosegrid.Unavailable}, found
