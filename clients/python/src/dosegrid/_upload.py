"""The bytes of a volume, x fastest and little-endian, in pieces: never a second copy of the whole."""

from __future__ import annotations

import concurrent.futures
import hashlib
from dataclasses import dataclass
from typing import Any, Iterator

import numpy as np
from numpy.typing import NDArray

from . import _wire
from ._errors import FieldError, of_fields
from ._images import BadImage, ImageLike, Volume, volume_of

#: Bytes of a piece: the least message limit of a server, 2 MiB, less what stands around a piece.
PIECE_BYTES = (2 << 20) - 4096
#: Most bytes that are put in order at a time.
SLAB_BYTES = 16 << 20
#: Planes, rows and columns of a tile that fits into a core's cache.
TILE_PLANES, TILE_ROWS, TILE_COLUMNS = 64, 16, 256
#: Elements between rows of a tile, so that they do not fall on the same lines of the cache.
TILE_GAP = 16

#: Element types that travel as they are.
_AS_THEY_ARE = {"f4": "FLOAT32", "f8": "FLOAT64", "i2": "INT16", "u1": "UINT8", "u2": "UINT16", "i4": "INT32"}
#: Those that fit into another without loss.
_WIDER = {"b1": "u1", "i1": "i2", "f2": "f4"}
#: Integers that are too long for the wire.
_LONG = ("u4", "i8", "u8")
_INT32 = np.iinfo(np.int32)


class NotSendable(ValueError):
    """The values have a type that cannot travel."""


@dataclass(frozen=True)
class Element:
    """How values travel."""

    #: Little-endian type.
    dtype: Any
    #: Its number on the wire.
    number: int


def element_of(values: NDArray[Any]) -> Element:
    """How an array travels; long integers as int32 if they fit, else as float64.

    :raises NotSendable: for complex numbers, texts and objects
    """
    name = values.dtype.newbyteorder("=").str[1:]
    name = _WIDER.get(name, name)
    if name in _LONG:
        fits = values.size == 0 or (int(values.min()) >= _INT32.min and int(values.max()) <= _INT32.max)
        name = "i4" if fits else "f8"
    elif values.dtype.kind == "f" and name not in _AS_THEY_ARE:
        name = "f8"
    if name not in _AS_THEY_ARE:
        raise NotSendable(f"has values of type {values.dtype}: numbers or bool are wanted")
    number = _wire.number("ElementType", f"ELEMENT_TYPE_{_AS_THEY_ARE[name]}")
    return Element(np.dtype("<" + name), number)


def sendable(name: str, image: ImageLike) -> tuple[Volume, Element]:
    """A volume, and how it travels.

    :param name: of the argument
    :raises InvalidRequest: if it cannot be used
    :raises OSError: if its file cannot be read
    """
    try:
        volume = volume_of(image)
        return volume, element_of(volume.values)
    except (BadImage, NotSendable) as fault:
        raise of_fields([FieldError(name, str(fault))]) from None


def pieces(values: NDArray[Any], dtype: Any) -> Iterator[memoryview]:
    """The bytes of an array indexed [x, y, z], x fastest. A piece is good until the next one is asked for."""
    planes = values.transpose(2, 1, 0)
    if planes.dtype == np.bool_:
        planes = planes.view(np.uint8)
    if planes.dtype == dtype and planes.flags.c_contiguous:
        yield from _cut(planes)
        return
    for slab in _ahead(_slabs(planes, dtype)):
        yield from _cut(slab)


def _slabs(planes: NDArray[Any], dtype: Any) -> Iterator[NDArray[Any]]:
    """An array [z, y, x] in order, some planes at a time. A slab is good until the next but one is asked for."""
    count, rows, columns = planes.shape
    thick = max(1, min(count, TILE_PLANES, SLAB_BYTES // max(1, rows * columns * dtype.itemsize)))
    both = [np.empty((thick, rows, columns), dtype) for _ in range(min(2, -(-count // thick)))]
    row_is_whole = abs(planes.strides[2]) == planes.itemsize
    tile = np.empty((min(columns, TILE_COLUMNS), TILE_ROWS * TILE_PLANES + TILE_GAP), dtype)
    for number, first in enumerate(range(0, count, thick)):
        part = planes[first : first + thick]
        target = both[number % 2][: len(part)]
        if row_is_whole:
            target[...] = part
        else:
            _transpose(part, target, tile)
        yield target


def _ahead(slabs: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Each slab while a thread makes the next one: numpy copies without holding the interpreter."""
    slab = next(slabs, None)
    with concurrent.futures.ThreadPoolExecutor(1, "dosegrid-upload") as thread:
        while slab is not None:
            following = thread.submit(next, slabs, None)
            yield slab
            slab = following.result()


def _transpose(part: NDArray[Any], target: NDArray[Any], tile: NDArray[Any]) -> None:
    """Copies `part` [z, y, x], whose x is far apart in memory, to `target`, tile by tile through the cache."""
    planes, rows, columns = part.shape
    size = tile.itemsize
    strides = (tile.strides[0], planes * size, size)
    for row in range(0, rows, TILE_ROWS):
        for column in range(0, columns, TILE_COLUMNS):
            high, wide = min(TILE_ROWS, rows - row), min(TILE_COLUMNS, columns - column)
            packed = np.lib.stride_tricks.as_strided(tile, (wide, high, planes), strides)
            place = (slice(None), slice(row, row + high), slice(column, column + wide))
            packed[...] = part[place].transpose(2, 1, 0)
            target[place] = packed.transpose(2, 1, 0)


def _cut(values: NDArray[Any]) -> Iterator[memoryview]:
    flat: Any = values.reshape(-1)
    whole = memoryview(flat).cast("B")
    for start in range(0, len(whole), PIECE_BYTES):
        yield whole[start : start + PIECE_BYTES]


def digest_of(values: NDArray[Any], dtype: Any) -> str:
    """The name of a volume: the SHA-256 of its bytes."""
    found = hashlib.sha256()
    for piece in pieces(values, dtype):
        found.update(piece)
    return f"sha256:{found.hexdigest()}"
