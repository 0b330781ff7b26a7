"""Tallies of several runs, together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence, Union

from . import _errors, _result, _upload, _wire
from ._calls import Cancel, Deadline, Source
from ._gather import Gather
from ._geometry import Grid
from ._images import Axes
from ._result import Image

if TYPE_CHECKING:
    from ._core import Core

_TALLY = _wire.Envelope(("MergeTalliesRequest", "tally_chunk"), "TallyChunk")


def merge(
    core: Core,
    tallies: Sequence[bytes],
    grid: Union[Grid, Image],
    *,
    uncertainty: bool,
    tally: bool,
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> _result.Result:
    """See `Client.merge`."""
    deadline = Deadline(timeout)
    axes: Axes = "xyz"
    if isinstance(grid, Image):
        axes, grid = grid.volume.axes, grid.grid
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

    gather = Gather(None, lambda progress: None, core.roles, axes, grid.affine_mm is not None)
    connection = core.connection(deadline, cancel)
    request_id = connection.exchange(method, Source(messages()), gather.take, deadline=deadline, cancel=cancel)
    return gather.finish(request_id)


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
        faults.append(
            _errors.FieldError("grid", f"is `result.dose` or `result.dose.grid` of any, got {type(grid).__name__}")
        )
    if faults:
        raise _errors.of_fields(faults)
