"""Volumes on another grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

import numpy as np

from . import _errors, _upload, _wire
from ._calls import Cancel, Deadline, Source, only
from ._geometry import Grid
from ._images import ImageLike, Volume
from ._messages import number_of

if TYPE_CHECKING:
    from ._core import Core

_RESAMPLE = _wire.Envelope(("ResampleRequest", "chunk"), "VolumeChunk")


def resample(
    core: Core,
    given: ImageLike,
    kind: str,
    *,
    onto: Optional[ImageLike],
    spacing_mm: Optional[float],
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> Volume:
    """See `Client.resample`."""
    deadline = Deadline(timeout)
    method = _wire.method("DoseService", "Resample")
    image, element = _upload.sendable("image", given)
    if (onto is None) == (spacing_mm is None):
        reason = "or `onto` says the grid: one of the two, and not both"
        raise _errors.of_fields([_errors.FieldError("spacing_mm", reason)])
    header = _wire.message("ResampleHeader")(kind=number_of("kind", "ResampleKind", "RESAMPLE_KIND", kind))
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

    connection = core.connection(deadline, cancel)
    connection.exchange(method, Source(messages()), take, deadline=deadline, cancel=cancel)
    volume = only(found, "the server")
    dtype = "<u2" if kind == "labels" else "<f4"
    grid = Grid.of_message(volume.grid)
    grid = grid if image.grid.affine_mm is not None else grid.unplaced()
    return Volume(np.frombuffer(data, dtype).reshape(grid.shape, order="F"), grid, image.axes)
