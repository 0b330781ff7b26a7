"""Calls on one connection, from any thread, cancelled from any other."""

from __future__ import annotations

import math
import numbers
import random
import threading
import time
import uuid
from typing import Any, Callable, Iterable, Iterator, Optional, TypeVar

import grpc

from . import _errors, _wire
from ._address import Access

_T = TypeVar("_T")
#: What is said of a client that was closed.
CLOSED = "the client is closed: make another one, or keep this one open until its last call has ended"
#: Pauses between two tries: the first, and the longest, in s.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
#: A longer time than this is for ever, in s: gRPC takes what it cannot count for a deadline that has passed.
_LONGEST_S = 1e8
#: A call that ends as cancelled this close to its deadline was ended by it, in s.
_NEAR_DEADLINE_S = 1.0


class Cancel:
    """Cancels calls from another thread: give it to a call, then call `cancel`. The server's work ends too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[Any] = set()
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ends all calls that this was given to, and those that begin later."""
        self._event.set()
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def _begin(self, call: Any) -> None:
        with self._lock:
            self._calls.add(call)
        if self.cancelled:
            call.cancel()

    def _end(self, call: Any) -> None:
        with self._lock:
            self._calls.discard(call)

    def _pause(self, seconds: float) -> None:
        """Waits, unless it is cancelled.

        :raises Cancelled: if it is
        """
        if self._event.wait(seconds):
            raise _errors.Cancelled("cancelled by the caller", reason="CANCELLED", code="CANCELLED")


class Deadline:
    """When a call has to be done; it covers all tries.

    :param timeout: seconds from now; none: never
    :raises InvalidRequest: if it is no number
    """

    def __init__(self, timeout: Optional[float]) -> None:
        if timeout is not None and not (isinstance(timeout, numbers.Real) and timeout == timeout):
            raise _errors.of_fields([_errors.FieldError("timeout", f"is a number of seconds, got {timeout!r}")])
        self._at = None if timeout is None or timeout > _LONGEST_S else time.monotonic() + timeout

    def check(self, cancel: Optional[Cancel]) -> None:
        """Ends a wait that has no use any more.

        :raises Cancelled: if the caller has cancelled
        :raises Timeout: if it has passed
        """
        if cancel is not None:
            cancel._pause(0)
        if self.left_s() == 0.0:
            raise _errors.Timeout("the deadline that the caller set has passed", code="DEADLINE_EXCEEDED")

    def left_s(self) -> Optional[float]:
        """Seconds until then, 0 at least."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def is_near(self, within_s: float = _NEAR_DEADLINE_S) -> bool:
        """Whether it comes within so many seconds."""
        left = self.left_s()
        return left is not None and left <= within_s


class Source:
    """Messages on their way. What raises in them ends the call, and reaches its caller as itself."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = iter(messages)
        self.error: Optional[BaseException] = None
        #: Whether all were handed over: the server may compute from then on.
        self.is_done = False
        self.call: Any = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._messages)
        except StopIteration:
            self.is_done = True
            raise
        except BaseException as error:  # noqa: BLE001  (it is raised again where the caller waits)
            self.error = error
            if self.call is not None:
                self.call.cancel()
            raise StopIteration from None


class Connection:
    """A connection, and the calls on it.

    :param retries: how often a call is sent again that was not computed
    :param on_lost: told when the server does not answer any more
    """

    def __init__(self, access: Access, retries: int, on_lost: Callable[[], Any] = lambda: None) -> None:
        self.access = access
        self._retries = retries
        self._on_lost = on_lost
        self._channel = access.channel()
        self._is_closed_by_caller = False
        self._callables: dict[str, Any] = {}

    def close(self, by_caller: bool = False) -> None:
        """Ends all calls.

        :param by_caller: who is told so
        """
        self._is_closed_by_caller = self._is_closed_by_caller or by_caller
        self._channel.close()

    def _callable(self, method: _wire.Method) -> Any:
        # One shape for all calls: on the wire they are the same.
        if method.path not in self._callables:
            self._callables[method.path] = self._channel.stream_stream(
                method.path, request_serializer=None, response_deserializer=method.response.FromString
            )
        return self._callables[method.path]

    def exchange(
        self,
        method: _wire.Method,
        source: Source,
        take: Callable[[Any], Any],
        *,
        deadline: Deadline,
        cancel: Optional[Cancel] = None,
    ) -> str:
        """Sends messages and takes answers until the server has no more. The name of the request in its log.

        :raises DosegridError: if the call fails
        """
        request_id = uuid.uuid4().hex
        if cancel is not None and cancel.cancelled:
            raise _errors.Cancelled("cancelled by the caller", reason="CANCELLED", request_id=request_id)
        try:
            call = self._callable(method)(
                source, timeout=deadline.left_s(), metadata=self.access.metadata(request_id), wait_for_ready=False
            )
        except ValueError:
            raise _errors.Unavailable(CLOSED, request_id=request_id) from None
        source.call = call
        if cancel is not None:
            cancel._begin(call)
        try:
            for response in call:
                take(response)
        except grpc.RpcError as error:
            if source.error is not None:
                raise source.error from None
            if self._is_closed_by_caller and not (cancel is not None and cancel.cancelled):
                raise _errors.Unavailable(CLOSED, request_id=request_id) from error
            failed = _errors.from_rpc(
                call,
                address=self.access.target,
                tls=self.access.tls,
                cancelled_here=cancel is not None and cancel.cancelled,
                deadline_passed=deadline.is_near(),
            )
            failed.request_id = failed.request_id or request_id
            if isinstance(failed, _errors.Unavailable) and not failed.reason:
                self._on_lost()
            raise failed from error
        finally:
            # Whatever ends this early, an exception of the caller's own too, ends the server's work.
            call.cancel()
            if cancel is not None:
                cancel._end(call)
        if source.error is not None:
            raise source.error
        return request_id

    def unary(
        self, service: str, rpc: str, *, deadline: Deadline, cancel: Optional[Cancel] = None, **fields: Any
    ) -> Any:
        """A call of one message each way, which may be sent again.

        :raises DosegridError: if it fails
        """

        def attempt() -> Any:
            return self.once(service, rpc, deadline=deadline, cancel=cancel, **fields)

        return self.again(attempt, is_idle, deadline, cancel)

    def once(
        self, service: str, rpc: str, *, deadline: Deadline, cancel: Optional[Cancel] = None, **fields: Any
    ) -> Any:
        """As `unary`, for what is a part of something that is sent again as a whole."""
        method = _wire.method(service, rpc)
        answers: list[Any] = []
        source = Source([_filled(method.request, fields).SerializeToString()])
        self.exchange(method, source, answers.append, deadline=deadline, cancel=cancel)
        return only(answers, self.access.target)

    def again(
        self,
        attempt: Callable[[], _T],
        may_repeat: Callable[[_errors.DosegridError], bool],
        deadline: Deadline,
        cancel: Optional[Cancel],
        come: Callable[[], int] = lambda: 0,
        patience_s: float = 0.0,
    ) -> _T:
        """Tries until it works, another try has no use, or there were enough.

        :param come: how much has come so far: a try that brought more than the one before does not count
        :param patience_s: after something has come, tries that fail so soon after it, in s, are never enough
        :raises DosegridError: that of the last try
        """
        tries, had, since = 0, come(), -math.inf
        while True:
            try:
                return attempt()
            except (_errors.ServerBusy, _errors.Unavailable) as error:
                if come() > had:
                    tries, had, since = 0, come(), time.monotonic()
                tries += 1
                is_enough = tries > self._retries and time.monotonic() - since > patience_s
                if is_enough or not may_repeat(error):
                    raise
                pause = error.retry_after_s
                if pause is None:
                    pause = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)
                if deadline.is_near(pause):
                    raise
                (cancel or Cancel())._pause(pause)


def check_cancel(cancel: Any) -> None:
    """Refuses what cannot be asked whether the caller has cancelled.

    :raises InvalidRequest: if it is no `Cancel`
    """
    if cancel is not None and not isinstance(cancel, Cancel):
        reason = f"is a dosegrid.Cancel(), whose cancel() is called from another thread; got {type(cancel).__name__}"
        raise _errors.of_fields([_errors.FieldError("cancel", reason)])


def _filled(request: Any, fields: dict[str, Any]) -> Any:
    """A message with these fields.

    :raises InvalidRequest: names those that cannot be what they are
    """
    try:
        return request(**fields)
    except (TypeError, ValueError, OverflowError):
        faults = []
        for name, value in fields.items():
            try:
                request(**{name: value})
            except (TypeError, ValueError, OverflowError):
                faults.append(_errors.FieldError(name, f"cannot be {value!r}"))
        raise _errors.of_fields(faults) from None


def only(answers: list[Any], address: str) -> Any:
    """The one answer of a call that has one.

    :raises Unavailable: if there is none
    """
    if len(answers) != 1:
        raise _errors.Unavailable(f"{address} ended the call without an answer")
    return answers[0]


def is_idle(error: _errors.DosegridError) -> bool:
    """Whether the server asks for another try, or was not there."""
    if isinstance(error, _errors.ServerBusy):
        return error.retry_after_s is not None
    return error.code == "UNAVAILABLE" and error.reason in ("", "SHUTTING_DOWN", "STORE_UNAVAILABLE")
