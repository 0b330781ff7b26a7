"""Jobs as they are."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Optional

from . import _errors, _progress, _wire

#: Names of the codes of google.rpc.Code, by number.
_CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()


@dataclass(frozen=True)
class JobInfo:
    """A job as it was when it was asked for."""

    #: Its name, by which it is found again.
    name: str
    #: queued, running, succeeded, failed or cancelled.
    state: str
    #: How often it began.
    attempts: int
    created: Optional[datetime.datetime]
    started: Optional[datetime.datetime]
    ended: Optional[datetime.datetime]
    #: When it is deleted with its results.
    expires: Optional[datetime.datetime]
    #: Why it failed, if it did.
    error: Optional[_errors.DosegridError]
    #: How far it is, while it runs.
    progress: Optional[_progress.Progress]

    @property
    def is_final(self) -> bool:
        """Whether it is finished, one way or another."""
        return self.state in ("succeeded", "failed", "cancelled")


def _time(job: Any, name: str) -> Optional[datetime.datetime]:
    if not job.HasField(name):
        return None
    stamp = getattr(job, name)
    return datetime.datetime.fromtimestamp(stamp.seconds + stamp.nanos * 1e-9, datetime.timezone.utc)


def _error(job: Any) -> Optional[_errors.DosegridError]:
    if not job.HasField("error"):
        return None
    error = job.error
    fields = tuple(_errors.FieldError(one.field, one.description) for one in error.field_violations)
    details = _errors.Details(error.reason, dict(error.metadata), fields)
    code = _CODES[error.code] if 0 <= error.code < len(_CODES) else "UNKNOWN"
    return _errors.from_status(code, error.message, details, address="the server", cancelled_here=True)


def info_of(job: Any) -> JobInfo:
    """A job from the wire."""
    return JobInfo(
        name=job.name,
        state=_wire.name_of("JobState", job.state),
        attempts=job.attempts,
        created=_time(job, "create_time"),
        started=_time(job, "start_time"),
        ended=_time(job, "end_time"),
        expires=_time(job, "expire_time"),
        error=_error(job),
        progress=_progress.of_message(job.progress, 0.0) if job.HasField("progress") else None,
    )
