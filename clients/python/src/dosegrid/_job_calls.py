"""Jobs that last: left to a server, followed, and fetched."""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

from . import _errors, _progress, _request, _result, _stored, _wire
from ._calls import Cancel, Connection, Deadline, Source, is_idle
from ._images import Axes, ImageLike
from ._jobs import JobInfo, info_of
from ._messages import number_of

if TYPE_CHECKING:
    from ._core import Core

#: Pause before a watch is begun again that ended before its job, in s.
_PAUSE_S = 0.2

#: How long a server may be away that was heard of a job, before a wait for that job gives up, in s: it is begun anew.
_PATIENCE_S = 60.0


def submit(
    core: Core,
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
    spec = {"priority": number_of("priority", "JobPriority", "JOB_PRIORITY", priority)}
    prepared = _request.prepare(activity, options)
    for upload in prepared.uploads:
        upload.descriptor.digest = upload.digest()
        upload.descriptor.size_bytes = upload.size_bytes
    _stored.put_missing(core, prepared.uploads, deadline, cancel)
    spec["compute"] = prepared.header
    name = request_id or str(uuid.uuid4())
    connection = core.connection(deadline, cancel)
    answer = connection.unary("JobService", "CreateJob", deadline=deadline, cancel=cancel, spec=spec, request_id=name)
    return info_of(answer.job), prepared


def get(core: Core, name: str, timeout: Optional[float]) -> JobInfo:
    """A job as it is now."""
    return info_of(core.ask("JobService", "GetJob", timeout, name=name).job)


def all_of(core: Core, states: Sequence[str], timeout: Optional[float]) -> list[JobInfo]:
    """All jobs, the newest first."""
    words = [states] if isinstance(states, str) else states
    numbers = [number_of("states", "JobState", "JOB_STATE", state) for state in words]
    found: list[JobInfo] = []
    token = ""
    while True:
        answer = core.ask("JobService", "ListJobs", timeout, page_token=token, states=numbers)
        found += [info_of(one) for one in answer.jobs]
        token = answer.next_page_token
        if not token:
            return found


def change(core: Core, call: str, name: str, timeout: Optional[float]) -> Optional[JobInfo]:
    """Cancels or deletes a job."""
    answer = core.ask("JobService", call, timeout, name=name)
    return info_of(answer.job) if hasattr(answer, "job") else None


def wait(
    core: Core, name: str, *, on_progress: _progress.OnProgress, timeout: Optional[float], cancel: Optional[Cancel]
) -> JobInfo:
    """Follows a job to its end. A watch that is cut is begun again: states come, not events."""
    deadline = Deadline(timeout)
    method = _wire.method("JobService", "WatchJob")
    request = method.request(name=name).SerializeToString()
    last: list[Any] = []
    with _progress.listener(on_progress) as listen:
        fraction, heard = 0.0, 0

        def take(response: Any) -> None:
            nonlocal fraction, heard
            heard += 1
            last[:] = [response.job]
            if response.job.HasField("progress"):
                progress = _progress.of_message(response.job.progress, fraction)
                fraction = progress.fraction
                listen(progress)

        while True:
            connection = core.connection(deadline, cancel)

            def attempt(on: Connection = connection) -> str:
                return on.exchange(method, Source([request]), take, deadline=deadline, cancel=cancel)

            connection.again(attempt, is_idle, deadline, cancel, lambda: heard, _PATIENCE_S)
            if last and info_of(last[0]).is_final:
                return info_of(last[0])
            # A watch that ends before its job is begun again, and not at once.
            (cancel or Cancel())._pause(_PAUSE_S)


def result(
    core: Core,
    name: str,
    prepared: Optional[_request.Prepared],
    *,
    axes: Optional[Axes],
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> _result.Result:
    """The result of a job that succeeded.

    :param axes: of its volumes; none: as what was prepared, or [x, y, z] where this process did not
    :raises DosegridError: the job's own error if it failed, InvalidRequest if it is not finished
    """
    deadline = Deadline(timeout)
    if axes not in (None, "xyz", "zyx"):
        raise _errors.of_fields([_errors.FieldError("axes", f'is "xyz" or "zyx", got {axes!r}')])
    connection = core.connection(deadline, cancel)
    job = connection.unary("JobService", "GetJob", deadline=deadline, cancel=cancel, name=name).job
    info = info_of(job)
    if info.error is not None:
        raise info.error
    if info.state == "cancelled":
        raise _errors.Cancelled(f"{name} was cancelled", reason="CANCELLED")
    if info.state != "succeeded":
        field = _errors.FieldError("job", f"{name} is {info.state}: wait for it first")
        raise _errors.InvalidRequest(fields=(field,), reason="JOB_NOT_FINISHED")
    usual = axes or (prepared.activity.axes if prepared else "xyz")
    background = prepared.background if prepared else None
    incoming = _result.Incoming(
        job.result, usual, axes or (background.axes if background else usual), not prepared or prepared.is_placed
    )
    for volume in incoming.arrays:
        digest = getattr(job.result, volume).digest
        take = functools.partial(incoming.take, volume)
        _stored.get(core, digest, take, deadline, cancel)
    if job.result.tally_digest:
        _stored.get(core, job.result.tally_digest, lambda _, data: incoming.tally.extend(data), deadline, cancel)
    return incoming.finish(background, None)
