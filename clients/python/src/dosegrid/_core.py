"""What both clients do, from the thread that calls it. `Client` calls it as it is, `AsyncClient` from other threads."""

from __future__ import annotations

import functools
import threading
import uuid
import warnings
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

import numpy as np

from . import _errors, _kernel, _progress, _request, _result, _stored, _upload, _wire, _words
from ._address import Access
from ._calls import Cancel, Connection, Deadline, Source, check_cancel, is_idle, only
from ._geometry import Grid
from ._images import ImageLike, Volume
from ._jobs import JobInfo, info_of
from ._plain import plain
from ._server import LocalServer
from ._version import __version__

Listener = Callable[[_progress.Progress], Any]
_RESAMPLE = _wire.Envelope(("ResampleRequest", "chunk"), "VolumeChunk")
_TALLY = _wire.Envelope(("MergeTalliesRequest", "tally_chunk"), "TallyChunk")
#: What is said of a client that was closed.
CLOSED = "the client is closed: make another one, or keep this one open until its last call has ended"
#: How often a call that waits for the connection looks whether it still has to, in s.
_TURN_S = 0.05
#: Longest wait for the end of a server that does not answer any more, in s.
_LOST_S = 1.0


class Core:
    """One server, and all that can be asked of it.

    :param access: none: a server of its own is started
    :param device: of that server
    """

    def __init__(self, access: Optional[Access], *, device: str, connect_timeout: float, retries: int) -> None:
        self._access = access
        self._device = device
        self._connect_timeout = connect_timeout
        self._retries = retries
        self._lock = threading.Lock()
        self._connection: Optional[Connection] = None
        self._is_closed = False
        self.server: Optional[LocalServer] = None
        self._roles = _result.roles()

    # ---- the connection

    def connection(self, deadline: Deadline, cancel: Optional[Cancel] = None) -> Connection:
        """The connection to a server that has answered.

        :raises Unavailable: if there is none
        """
        check_cancel(cancel)
        # Another call may be connecting, with more time than this one has.
        while not self._lock.acquire(timeout=_TURN_S):
            deadline.check(cancel)
        try:
            if self._is_closed:
                raise _errors.Unavailable(CLOSED)
            if self.server is not None and not self.server.is_running:
                self._disconnect()
            if self._connection is None:
                self._connection = self._connect(deadline, cancel)
            return self._connection
        finally:
            self._lock.release()

    def _connect(self, deadline: Deadline, cancel: Optional[Cancel]) -> Connection:
        access = self._access
        if access is None:
            from ._address import access as read

            self.server = LocalServer(self._device, look=functools.partial(deadline.check, cancel))
            access = read(self.server.address, tls=False)
        connection = Connection(access, self._retries, self._lost)
        left = deadline.left_s()
        wait = self._connect_timeout if left is None else min(self._connect_timeout, left)
        try:
            method = _wire.method("DoseService", "GetServerInfo")
            answers: list[Any] = []
            source = Source([method.request().SerializeToString()])
            connection.exchange(method, source, answers.append, deadline=Deadline(wait), cancel=cancel)
            self._compare(only(answers, access.target).version, access)
        except _errors.Timeout as error:
            connection.close()
            if deadline.is_near(0.0):
                raise
            raise _errors.Unavailable(
                f"{access.target} does not answer within {wait:g} s: are host and port right?", code="UNAVAILABLE"
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _compare(version: str, access: Access) -> None:
        if version != __version__:
            warnings.warn(
                f"the server {access.target} has version {version} and this client {__version__}: what one of "
                "them does not know is refused, or left out of results",
                stacklevel=2,
            )

    def _lost(self) -> None:
        server = self.server
        if server is not None:
            # A process that was killed closes its connections a little before it is seen to have ended.
            server.wait(_LOST_S)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self.server is not None:
            self.server.stop()
            self.server = None

    def close(self) -> None:
        """Ends all calls, and the server that was started for them."""
        with self._lock:
            self._is_closed = True
            self._disconnect()

    def ask(self, service: str, rpc: str, timeout: Optional[float], **fields: Any) -> Any:
        """A call of one message each way."""
        deadline = Deadline(timeout)
        return self.connection(deadline).unary(service, rpc, deadline=deadline, **fields)

    # ---- doses

    def compute(
        self,
        activity: ImageLike,
        options: Mapping[str, Any],
        *,
        on_progress: _progress.OnProgress,
        timeout: Optional[float],
        cancel: Optional[Cancel],
    ) -> _result.Result:
        """A dose by one call."""
        deadline = Deadline(timeout)
        prepared = _request.prepare(activity, options)
        method = _wire.method("DoseService", "Compute")
        with _progress.listener(on_progress) as listen:
            source: Source = Source(())

            def attempt() -> _result.Result:
                nonlocal source
                source = Source(prepared.messages())
                gather = _Gather(prepared, listen, self._roles)
                request_id = self.connection(deadline, cancel).exchange(
                    method, source, gather.take, deadline=deadline, cancel=cancel
                )
                return gather.finish(request_id)

            def may_repeat(error: _errors.DosegridError) -> bool:
                # Once all has arrived, the server may have begun.
                is_refused = isinstance(error, _errors.ServerBusy) or error.reason == "SHUTTING_DOWN"
                return is_idle(error) and (is_refused or not source.is_done) and self._access is not None

            return self.connection(deadline, cancel).again(attempt, may_repeat, deadline, cancel)

    def merge(
        self, tallies: Sequence[bytes], grid: Grid, *, uncertainty: bool, tally: bool, timeout: Optional[float]
    ) -> _result.Result:
        """The dose of several runs together."""
        deadline = Deadline(timeout)
        _check_tallies(tallies, grid)
        method = _wire.method("DoseService", "MergeTallies")
        header = _wire.message("MergeTalliesHeader")(return_uncertainty=uncertainty, return_tally=tally)
        header.grid.CopyFrom(grid.message())
        for one in tallies:
            header.tallies.add(size_bytes=len(one))

        def messages() -> Iterator[bytes]:
            yield method.request(header=header).SerializeToString()
            for index, one in enumerate(tallies):
                for at in range(0, len(one), _upload.PIECE_BYTES):
                    piece = memoryview(one)[at : at + _upload.PIECE_BYTES]
                    yield _TALLY.pack(piece, index=index, offset_bytes=at)

        gather = _Gather(None, lambda progress: None, self._roles)
        connection = self.connection(deadline)
        request_id = connection.exchange(method, Source(messages()), gather.take, deadline=deadline)
        return gather.finish(request_id)

    def resample(
        self,
        given: ImageLike,
        kind: str,
        onto: Optional[ImageLike],
        spacing_mm: Optional[float],
        timeout: Optional[float],
    ) -> Volume:
        """A volume on another grid."""
        deadline = Deadline(timeout)
        method = _wire.method("DoseService", "Resample")
        image, element = _upload.sendable("image", given)
        if (onto is None) == (spacing_mm is None):
            reason = "or `onto` says the grid: one of the two, and not both"
            raise _errors.of_fields([_errors.FieldError("spacing_mm", reason)])
        header = _wire.message("ResampleHeader")(kind=_number("kind", "ResampleKind", "RESAMPLE_KIND", kind))
        header.source.grid.CopyFrom(image.grid.message())
        header.source.element_type = element.number
        header.source.slope, header.source.intercept = image.slope, image.intercept
        if onto is not None:
            header.grid.CopyFrom(_upload.sendable("onto", onto)[0].grid.message())
        else:
            try:
                header.spacing_mm = spacing_mm
            except (TypeError, ValueError):
                reason = f"is one number, the edge of cubes in mm; got {spacing_mm!r}"
                raise _errors.of_fields([_errors.FieldError("spacing_mm", reason)]) from None
        role = _wire.number("VolumeRole", "VOLUME_ROLE_SOURCE")

        def messages() -> Iterator[bytes]:
            yield method.request(header=header).SerializeToString()
            offset = 0
            for piece in _upload.pieces(image.values, element.dtype):
                yield _RESAMPLE.pack(piece, volume=role, offset_bytes=offset)
                offset += len(piece)

        found: list[Any] = []
        data = bytearray()

        def take(response: Any) -> None:
            if response.HasField("result"):
                found.append(response.result.volume)
            else:
                data.extend(response.chunk.data)

        self.connection(deadline).exchange(method, Source(messages()), take, deadline=deadline)
        volume = only(found, "the server")
        dtype = "<u2" if kind == "labels" else "<f4"
        grid = Grid.of_message(volume.grid)
        return Volume(np.frombuffer(data, dtype).reshape(grid.shape, order="F"), grid, image.axes)

    # ---- jobs

    def submit(
        self,
        activity: ImageLike,
        options: Mapping[str, Any],
        *,
        priority: str,
        request_id: Optional[str],
        timeout: Optional[float],
        cancel: Optional[Cancel],
    ) -> tuple[JobInfo, _request.Prepared]:
        """A job that lasts, whose volumes are stored first: only those that the server lacks."""
        deadline = Deadline(timeout)
        spec = {"priority": _number("priority", "JobPriority", "JOB_PRIORITY", priority)}
        prepared = _request.prepare(activity, options)
        for upload in prepared.uploads:
            upload.descriptor.digest = upload.digest()
            upload.descriptor.size_bytes = upload.size_bytes
        _stored.put_missing(self, prepared.uploads, deadline, cancel)
        spec["compute"] = prepared.header
        name = request_id or str(uuid.uuid4())
        connection = self.connection(deadline, cancel)
        answer = connection.unary(
            "JobService", "CreateJob", deadline=deadline, cancel=cancel, spec=spec, request_id=name
        )
        return info_of(answer.job), prepared

    def job(self, name: str, timeout: Optional[float]) -> JobInfo:
        """A job as it is now."""
        return info_of(self.ask("JobService", "GetJob", timeout, name=name).job)

    def jobs(self, states: Sequence[str], timeout: Optional[float]) -> list[JobInfo]:
        """All jobs, the newest first."""
        words = [states] if isinstance(states, str) else states
        numbers = [_number("states", "JobState", "JOB_STATE", state) for state in words]
        found: list[JobInfo] = []
        token = ""
        while True:
            answer = self.ask("JobService", "ListJobs", timeout, page_token=token, states=numbers)
            found += [info_of(job) for job in answer.jobs]
            token = answer.next_page_token
            if not token:
                return found

    def change_job(self, call: str, name: str, timeout: Optional[float]) -> Optional[JobInfo]:
        """Cancels or deletes a job."""
        answer = self.ask("JobService", call, timeout, name=name)
        return info_of(answer.job) if hasattr(answer, "job") else None

    def wait(
        self, name: str, *, on_progress: _progress.OnProgress, timeout: Optional[float], cancel: Optional[Cancel]
    ) -> JobInfo:
        """Follows a job to its end. A watch that is cut is begun again: states come, not events."""
        deadline = Deadline(timeout)
        method = _wire.method("JobService", "WatchJob")
        request = method.request(name=name).SerializeToString()
        last: list[Any] = []
        with _progress.listener(on_progress) as listen:
            fraction = 0.0

            def take(response: Any) -> None:
                nonlocal fraction
                last[:] = [response.job]
                if response.job.HasField("progress"):
                    progress = _progress.of_message(response.job.progress, fraction)
                    fraction = progress.fraction
                    listen(progress)

            while True:
                connection = self.connection(deadline, cancel)

                def attempt(on: Connection = connection) -> str:
                    return on.exchange(method, Source([request]), take, deadline=deadline, cancel=cancel)

                connection.again(attempt, is_idle, deadline, cancel)
                if last and info_of(last[0]).is_final:
                    return info_of(last[0])

    def job_result(
        self, name: str, prepared: Optional[_request.Prepared], timeout: Optional[float], cancel: Optional[Cancel]
    ) -> _result.Result:
        """The result of a job that succeeded.

        :raises DosegridError: the job's own error if it failed, InvalidRequest if it is not finished
        """
        deadline = Deadline(timeout)
        connection = self.connection(deadline, cancel)
        job = connection.unary("JobService", "GetJob", deadline=deadline, cancel=cancel, name=name).job
        info = info_of(job)
        if info.error is not None:
            raise info.error
        if info.state == "cancelled":
            raise _errors.Cancelled(f"{name} was cancelled", reason="CANCELLED")
        if info.state != "succeeded":
            field = _errors.FieldError("job", f"{name} is {info.state}: wait for it first")
            raise _errors.InvalidRequest(fields=(field,), reason="JOB_NOT_FINISHED")
        axes = prepared.activity.axes if prepared else "xyz"
        incoming = _result.Incoming(job.result, axes, axes)
        for volume in incoming.arrays:
            digest = getattr(job.result, volume).digest
            take = functools.partial(incoming.take, volume)
            _stored.get(self, digest, take, deadline, cancel)
        if job.result.tally_digest:
            _stored.get(self, job.result.tally_digest, lambda _, data: incoming.tally.extend(data), deadline, cancel)
        return incoming.finish(prepared.background if prepared else None, None)

    # ---- look-ups

    def plain(self, service: str, rpc: str, timeout: Optional[float], **fields: Any) -> dict[str, Any]:
        """The answer of a call as plain data."""
        return plain(self.ask(service, rpc, timeout, **fields))

    def kernel(
        self, nuclide: str, spacing_mm: Sequence[float], radius_voxels: int, timeout: Optional[float]
    ) -> _kernel.Kernel:
        """Voxel S values."""
        try:
            edges = [float(edge) for edge in spacing_mm]
        except (TypeError, ValueError):
            reason = f"is three numbers, along x, y and z in mm; got {spacing_mm!r}"
            raise _errors.of_fields([_errors.FieldError("spacing_mm", reason)]) from None
        fields: dict[str, Any] = {"nuclide": nuclide, "spacing_mm": edges, "radius_voxels": radius_voxels}
        return _kernel.of_answer(self.ask("DoseService", "ComputeKernel", timeout, **fields))

    def url(self) -> str:
        """The address of the server."""
        return self.connection(Deadline(None)).access.url


def _check_tallies(tallies: Any, grid: Any) -> None:
    """Refuses what is no tally, and no grid.

    :raises InvalidRequest: names every fault
    """
    faults = []
    if isinstance(tallies, (bytes, bytearray, memoryview)):
        faults.append(_errors.FieldError("tallies", "are several: a list with `result.tally` of each"))
    else:
        for index, one in enumerate(tallies):
            if not isinstance(one, (bytes, bytearray, memoryview)):
                got = "None: compute with tally=True" if one is None else type(one).__name__
                faults.append(_errors.FieldError(f"tallies[{index}]", f"is `result.tally`, which is bytes; got {got}"))
    if not isinstance(grid, Grid):
        faults.append(_errors.FieldError("grid", f"is `result.dose.grid` of any, got {type(grid).__name__}"))
    if faults:
        raise _errors.of_fields(faults)


def _number(field: str, enum: str, prefix: str, word: str) -> int:
    """The number of a word that is a value of an enumeration.

    :param field: of which it is told if it is not known
    """
    try:
        return _words.enum_number(enum, prefix, word, _wire.names(enum))
    except _words.BadWord as fault:
        raise _errors.of_fields([_errors.FieldError(field, str(fault))]) from None


class _Gather:
    """Takes the answers of a call that gives a dose."""

    def __init__(self, prepared: Optional[_request.Prepared], listen: Listener, roles: Mapping[int, str]) -> None:
        self._prepared = prepared
        self._listen = listen
        self._roles = roles
        self._fraction = 0.0
        self._incoming: Optional[_result.Incoming] = None

    def take(self, response: Any) -> None:
        """An answer."""
        kind = response.WhichOneof("message")
        if kind == "progress":
            progress = _progress.of_message(response.progress, self._fraction)
            self._fraction = progress.fraction
            self._listen(progress)
        elif kind == "result":
            axes = self._prepared.activity.axes if self._prepared else "xyz"
            background = self._prepared.background if self._prepared else None
            self._incoming = _result.Incoming(response.result, axes, background.axes if background else axes)
        elif kind == "chunk" and self._incoming is not None:
            self._incoming.take_chunk(self._roles[response.chunk.volume], response.chunk)
        elif kind == "tally_chunk" and self._incoming is not None:
            self._incoming.tally.extend(response.tally_chunk.data)

    def finish(self, request_id: str) -> _result.Result:
        """The result.

        :raises Unavailable: if none came
        """
        if self._incoming is None:
            raise _errors.Unavailable("the call ended without a result", request_id=request_id)
        self._listen(_progress.Progress(1.0, "finish", 1.0))
        return self._incoming.finish(self._prepared.background if self._prepared else None, request_id)
