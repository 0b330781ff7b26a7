"""The bytes of a volume in pieces, and the messages around them."""

from __future__ import annotations

import numpy as np
import pytest

import dosegrid
from dosegrid import _upload, _wire
from dosegrid._server import LocalServer


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (300, 33, 70), (17, 40, 130), (600, 700, 3), (2, 2, 400_000)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pieces_are_the_whole_x_fastest(shape: tuple[int, ...], order: str) -> None:
    values = np.random.default_rng(1).integers(-9, 9, shape).astype(">i2", order=order)
    got = b"".join(bytes(piece) for piece in _upload.pieces(values, np.dtype("<i2")))
    assert got == values.astype("<i2").tobytes(order="F")
    assert all(len(piece) <= _upload.PIECE_BYTES for piece in _upload.pieces(values, np.dtype("<i2")))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 1 << 20])
def test_an_envelope_is_the_message(length: int) -> None:
    data = bytes(range(256)) * (length // 256) + bytes(length % 256)
    envelope = _wire.Envelope(("ComputeRequest", "chunk"), "VolumeChunk")
    request = _wire.message("ComputeRequest").FromString(envelope.pack(memoryview(data), volume=2, offset_bytes=300))
    assert (request.chunk.data, request.chunk.volume, request.chunk.offset_bytes) == (data, 2, 300)
    alone = _wire.Envelope(None, "PutVolumeRequest").pack(data, digest="d", size_bytes=7)
    put = _wire.message("PutVolumeRequest").FromString(alone)
    assert (put.data, put.digest, put.size_bytes) == (data, "d", 7)


def test_volumes_fit_into_the_least_message_limit(program: str) -> None:
    running = LocalServer("cpu", ["--max-message-mib", "2"])
    try:
        with dosegrid.Client(running.address) as client:
            assert client.info()["limits"]["max_chunk_bytes"] >= _upload.PIECE_BYTES
            values = np.ones((128, 128, 64), np.float32)
            volume = dosegrid.Volume.of_array(values, (4.0, 4.0, 4.0), "xyz")
            found = client.compute(volume, density=volume, nuclide="Lu-177", unit="mbq-h", method="local")
            assert found.dose.gy.shape == values.shape and found.dose.gy.min() > 0
    finally:
        assert running.stop() == 0


def test_long_integers_travel_as_the_shortest_that_holds_them() -> None:
    assert _upload.element_of(np.array([1, 2], np.int64)).dtype == np.dtype("<i4")
    assert _upload.element_of(np.array([1 << 40], np.int64)).dtype == np.dtype("<f8")
    assert _upload.element_of(np.array([True])).dtype == np.dtype("u1")
    with pytest.raises(_upload.NotSendable, match="numbers or bool"):
        _upload.element_of(np.array(["a"]))
