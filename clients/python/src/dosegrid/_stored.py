"""Volumes that a server keeps, by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Union

from . import _errors, _request, _upload, _wire
from ._calls import Cancel, Deadline, Source, is_idle, only
from ._images import ImageLike

if TYPE_CHECKING:
    from ._core import Core

_PUT = _wire.Envelope(None, "PutVolumeRequest")
#: Volumes of one question to the store.
_MOST_DIGESTS = 1000


def put_missing(core: Core, uploads: list[_request.Upload], deadline: Deadline, cancel: Optional[Cancel]) -> None:
    """Stores the volumes that the server lacks."""
    by_digest = {upload.descriptor.digest: upload for upload in uploads}
    digests = list(by_digest)
    for start in range(0, len(digests), _MOST_DIGESTS):
        asked = digests[start : start + _MOST_DIGESTS]
        connection = core.connection(deadline, cancel)
        found = connection.unary("VolumeService", "CheckVolumes", deadline=deadline, cancel=cancel, digests=asked)
        for digest, volume in zip(asked, found.volumes):
            if not volume.size_bytes or volume.committed_bytes < volume.size_bytes:
                _put(core, by_digest[digest], deadline, cancel)


def _put(core: Core, upload: _request.Upload, deadline: Deadline, cancel: Optional[Cancel]) -> None:
    """Stores a volume, going on after a cut where it was cut."""
    method = _wire.method("VolumeService", "PutVolume")

    held = 0

    def attempt() -> None:
        nonlocal held
        connection = core.connection(deadline, cancel)
        digests = [upload.descriptor.digest]
        asked = connection.once("VolumeService", "CheckVolumes", deadline=deadline, cancel=cancel, digests=digests)
        held = asked.volumes[0].committed_bytes
        answers: list[Any] = []
        source = Source(_rest(upload, held))
        connection.exchange(method, source, answers.append, deadline=deadline, cancel=cancel)
        stored = only(answers, connection.access.target).volume
        if stored.committed_bytes < upload.size_bytes:
            raise _errors.Unavailable("an upload was cut", code="UNAVAILABLE")

    core.connection(deadline, cancel).again(attempt, is_idle, deadline, cancel, lambda: held)


def _rest(upload: _request.Upload, committed: int) -> Iterator[bytes]:
    """The messages of an upload from the piece on in which it was cut."""
    offset, first = 0, True
    for piece in _upload.pieces(upload.volume.values, upload.element.dtype):
        if offset + len(piece) > committed or (first and offset + len(piece) >= upload.size_bytes):
            names = {"digest": upload.descriptor.digest, "size_bytes": upload.size_bytes} if first else {}
            yield _PUT.pack(piece, offset_bytes=offset, **names)
            first = False
        offset += len(piece)


def get(
    core: Core, digest: str, take: Callable[[int, bytes], Any], deadline: Deadline, cancel: Optional[Cancel]
) -> None:
    """Reads a volume; a read that is cut goes on."""
    method = _wire.method("VolumeService", "GetVolume")
    done = 0

    def piece(response: Any) -> None:
        nonlocal done
        take(response.offset_bytes, response.data)
        done = response.offset_bytes + len(response.data)

    def attempt() -> None:
        request = method.request(digest=digest, offset_bytes=done).SerializeToString()
        core.connection(deadline, cancel).exchange(method, Source([request]), piece, deadline=deadline, cancel=cancel)

    core.connection(deadline, cancel).again(attempt, is_idle, deadline, cancel, lambda: done)


def delete(core: Core, volume: Union[str, ImageLike], timeout: Optional[float]) -> None:
    """See `Client.delete_volume`."""
    if isinstance(volume, str) and volume.startswith("sha256:"):
        digest = volume
    else:
        found, element = _upload.sendable("volume", volume)
        digest = _upload.digest_of(found.values, element.dtype)
    core.ask("VolumeService", "DeleteVolume", timeout, digest=digest)
