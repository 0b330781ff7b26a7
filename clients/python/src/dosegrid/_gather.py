"""The answers of a call that gives a dose."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from . import _errors, _progress, _request, _result
from ._images import Axes

Listener = Callable[[_progress.Progress], Any]


class Gather:
    """Takes the answers of a call that gives a dose.

    :param axes, is_placed: of its volumes, where nothing was prepared that says it
    """

    def __init__(
        self,
        prepared: Optional[_request.Prepared],
        listen: Listener,
        roles: Mapping[int, str],
        axes: Axes = "xyz",
        is_placed: bool = True,
    ) -> None:
        self._prepared = prepared
        self._is_placed = prepared.is_placed if prepared else is_placed
        self._axes = prepared.activity.axes if prepared else axes
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
            axes = self._axes
            background = self._prepared.background if self._prepared else None
            self._incoming = _result.Incoming(
                response.result, axes, background.axes if background else axes, self._is_placed
            )
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
