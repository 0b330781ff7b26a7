"""Errors, by class: what to do about them differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

import grpc

from . import _wire


@dataclass(frozen=True)
class FieldError:
    """A bad field of a request."""

    #: Its path: an argument such as `unit`, or a field of the protocol such as `activity.grid.spacing_mm`.
    field: str
    #: What is wrong with it.
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class DosegridError(Exception):
    """Whatever goes wrong between a caller and a dose. Its text is for people, and says what to do."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Optional[Mapping[str, str]] = None,
        request_id: Optional[str] = None,
        retry_after_s: Optional[float] = None,
        code: str = "",
    ) -> None:
        super().__init__(message)
        #: Stable reason, such as `SERVER_BUSY`; empty where the server gave none.
        self.reason = reason
        #: Facts beside the reason.
        self.metadata: dict[str, str] = dict(metadata or {})
        #: What the server's log calls this request; none if it never arrived.
        self.request_id = request_id
        #: How long the server asks to wait before another try, in s.
        self.retry_after_s = retry_after_s
        #: Name of the gRPC status; empty for what was found here.
        self.code = code


class InvalidRequest(DosegridError, ValueError):
    """The request is bad: `fields` names every fault. Another try needs another request."""

    def __init__(self, message: str = "", *, fields: tuple[FieldError, ...] = (), **more: Any) -> None:
        text = "\n  ".join(["the request is bad:", *map(str, fields)]) if fields else message
        super().__init__(text, **more)
        #: Every bad field.
        self.fields = fields


class TooLarge(DosegridError):
    """The request can never fit into the server: its `metadata` has the limit."""


class ServerBusy(DosegridError):
    """The server has no room now. `retry_after_s` is when to try again."""


class Unavailable(DosegridError):
    """There is no server, it went away, or it does not let this caller in."""


class Timeout(DosegridError, TimeoutError):
    """The deadline has passed: that of the caller, or one of the server."""


class Cancelled(DosegridError):
    """The caller cancelled."""


class NotFound(DosegridError, LookupError):
    """There is no such nuclide, volume or job."""


class EngineFailure(DosegridError):
    """The server failed, or would have sent a dose that cannot be right. No dose is better than that one."""


def of_fields(faults: list[FieldError]) -> InvalidRequest:
    """What was found before anything was sent."""
    return InvalidRequest("the request is bad", fields=tuple(faults), reason="INVALID_REQUEST")


@dataclass
class Details:
    """What a status carries beside its code and message."""

    reason: str = ""
    metadata: Optional[dict[str, str]] = None
    fields: tuple[FieldError, ...] = ()
    retry_after_s: Optional[float] = None


def details_of(status_bytes: bytes) -> Details:
    """The details of a serialised `google.rpc.Status`."""
    details = Details()
    status = _wire.message("google.rpc.Status").FromString(status_bytes)
    for packed in status.details:
        kind = packed.type_url.rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            info = _wire.message(kind).FromString(packed.value)
            details.reason, details.metadata = info.reason, dict(info.metadata)
        elif kind == "google.rpc.BadRequest":
            bad = _wire.message(kind).FromString(packed.value)
            details.fields = tuple(FieldError(one.field, one.description) for one in bad.field_violations)
        elif kind == "google.rpc.RetryInfo":
            delay = _wire.message(kind).FromString(packed.value).retry_delay
            details.retry_after_s = delay.seconds + delay.nanos * 1e-9
        elif kind == "google.rpc.PreconditionFailure":
            failed = _wire.message(kind).FromString(packed.value)
            details.fields += tuple(FieldError(one.subject, one.description) for one in failed.violations)
    return details


#: Classes by code; reasons come first.
_BY_CODE: dict[str, type[DosegridError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "FAILED_PRECONDITION": InvalidRequest,
    "ALREADY_EXISTS": InvalidRequest,
    "NOT_FOUND": NotFound,
    "RESOURCE_EXHAUSTED": ServerBusy,
    "UNAVAILABLE": Unavailable,
    "UNAUTHENTICATED": Unavailable,
    "PERMISSION_DENIED": Unavailable,
    "UNIMPLEMENTED": Unavailable,
    "DEADLINE_EXCEEDED": Timeout,
    "CANCELLED": Cancelled,
}
_BY_REASON: dict[str, type[DosegridError]] = {
    "REQUEST_TOO_LARGE": TooLarge,
    "MESSAGE_TOO_LARGE": TooLarge,
    "DEVICE_OUT_OF_MEMORY": ServerBusy,
    "DEVICE_UNAVAILABLE": EngineFailure,
    "STREAM_STALLED": Timeout,
    "COMPUTE_LIMIT": Timeout,
}


def class_of(code: str, reason: str) -> type[DosegridError]:
    """The class of an error."""
    return _BY_REASON.get(reason) or _BY_CODE.get(code, EngineFailure)


def _advice(code: str, reason: str, said: str, address: str, tls: bool) -> str:
    """The message of the server or of the transport, and what to do."""
    low = said.lower()
    if code == "UNAVAILABLE" and not reason:
        if "dns" in low or "resolution" in low or "resolve" in low or "domain name" in low:
            return f"there is no host for {address}. {said}"
        if any(word in low for word in ("ssl", "handshake", "certificate", "tls")) or (tls and "reset by peer" in low):
            hint = "its certificate is from an authority that is not trusted (ca=…), or it speaks no TLS (tls=False)"
            return f"no TLS with {address}: {hint}. {said}"
        if "http2" in low or "preface" in low or "settings" in low:
            return f"{address} answers, but not as gRPC{'' if tls else ': it may want TLS (https://…)'}. {said}"
        if "refused" in low or "failed to connect" in low or "no route" in low:
            return f"no server listens on {address}: is the port right, and does `dosegrid serve` run? {said}"
        return f"the connection to {address} was lost. {said}"
    if code == "UNIMPLEMENTED" and not reason:
        return f"{address} is no dosegrid server, or an older one: it does not know this call. {said}"
    if code == "DEADLINE_EXCEEDED" and not reason:
        return f"not done within the time that was given. {said}"
    if code == "UNAUTHENTICATED":
        return f"{said} (token=…, or the variable DOSEGRID_TOKEN)"
    return said or code


def from_status(
    code: str,
    said: str,
    details: Details,
    *,
    address: str,
    tls: bool = False,
    request_id: Optional[str] = None,
    cancelled_here: bool = False,
    deadline_passed: bool = False,
) -> DosegridError:
    """The error of a status.

    :param cancelled_here: whether the caller cancelled the call
    :param deadline_passed: whether its own deadline has passed: some servers then say CANCELLED
    """
    kind = class_of(code, details.reason)
    if kind is Cancelled and not cancelled_here:
        # A deadline reaches the server as a cancellation, and a lost connection may as well.
        kind = Timeout if deadline_passed else Unavailable
    if cancelled_here and code in ("CANCELLED", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        kind = Cancelled
        # The words of gRPC are about "application"; those of a server say more.
        said = "cancelled by the caller" if said.startswith("Locally cancelled") else said
    more: dict[str, Any] = {"fields": details.fields} if issubclass(kind, InvalidRequest) else {}
    return kind(
        _advice(code, details.reason, said, address, tls),
        reason=details.reason,
        metadata=details.metadata,
        request_id=request_id,
        retry_after_s=details.retry_after_s,
        code=code,
        **more,
    )


def from_rpc(error: grpc.RpcError, *, address: str, tls: bool, cancelled_here: bool, deadline_passed: bool) -> Any:
    """The error of a call that failed."""
    trailers = {key: value for key, value in (error.trailing_metadata() or ())}
    headers: dict[str, Any] = {}
    try:
        headers = {key: value for key, value in (error.initial_metadata() or ())}
    except Exception:  # noqa: BLE001  (there are none where no server answered)
        pass
    packed = trailers.get("grpc-status-details-bin", b"")
    request_id = trailers.get("x-request-id") or headers.get("x-request-id")
    return from_status(
        error.code().name,
        error.details() or "",
        details_of(packed) if packed else Details(),
        address=address,
        tls=tls,
        request_id=request_id if isinstance(request_id, str) else None,
        cancelled_here=cancelled_here,
        deadline_passed=deadline_passed,
    )
