"""What both clients do, from the thread that calls it. `Client` calls it as it is, `AsyncClient` from other threads."""

from __future__ import annotations

import functools
import threading
import warnings
from typing import Any, Mapping, Optional

from . import _errors, _progress, _request, _result, _wire
from ._address import Access
from ._calls import CLOSED, Cancel, Connection, Deadline, Source, check_cancel, is_idle, only
from ._gather import Gather
from ._images import ImageLike
from ._plain import plain
from ._server import LocalServer
from ._version import __version__

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
        #: One that waits for its server's first answer.
        self._coming: Optional[Connection] = None
        self._is_closed = False
        self.server: Optional[LocalServer] = None
        #: The volumes of a result by their role.
        self.roles = _result.roles()

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

            self.server = LocalServer(self._device, look=functools.partial(self._look, deadline, cancel))
            access = read(self.server.address, tls=False)
        connection = self._coming = Connection(access, self._retries, self._lost)
        left = deadline.left_s()
        wait = self._connect_timeout if left is None else min(self._connect_timeout, left)
        try:
            self._look(deadline, cancel)
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
        finally:
            self._coming = None
        return connection

    def _look(self, deadline: Deadline, cancel: Optional[Cancel]) -> None:
        """Ends a wait for a server that has no use any more."""
        if self._is_closed:
            raise _errors.Unavailable(CLOSED)
        deadline.check(cancel)

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
        self._is_closed = True
        # Who connects has the lock, for as long as a server may take to answer.
        for connection in self._coming, self._connection:
            if connection is not None:
                connection.close(by_caller=True)
        with self._lock:
            self._disconnect()

    def ask(
        self, service: str, rpc: str, timeout: Optional[float], *, cancel: Optional[Cancel] = None, **fields: Any
    ) -> Any:
        """A call of one message each way."""
        deadline = Deadline(timeout)
        return self.connection(deadline, cancel).unary(service, rpc, deadline=deadline, cancel=cancel, **fields)

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
                gather = Gather(prepared, listen, self.roles)
                request_id = self.connection(deadline, cancel).exchange(
                    method, source, gather.take, deadline=deadline, cancel=cancel
                )
                return gather.finish(request_id)

            def may_repeat(error: _errors.DosegridError) -> bool:
                # Once all has arrived, the server may have begun.
                is_refused = isinstance(error, _errors.ServerBusy) or error.reason == "SHUTTING_DOWN"
                return is_idle(error) and (is_refused or (not source.is_done and self._access is not None))

            return self.connection(deadline, cancel).again(attempt, may_repeat, deadline, cancel)

    def plain(self, service: str, rpc: str, timeout: Optional[float], **fields: Any) -> dict[str, Any]:
        """The answer of a call as plain data."""
        return plain(self.ask(service, rpc, timeout, **fields))

    def url(self) -> str:
        """The address of the server."""
        return self.connection(Deadline(None)).access.url
