"""Sends requests that no caller means, and looks at the answers: each is OK or an error with its reason, and soon.

python hostile.py SERVER PID [COUNT]      PID: of the server, whose memory is looked at; COUNT: at least so many (1300)

A request has some fields, drawn from all of its message and of the messages within: numbers from the edges of what
there is, texts that are empty, long or odd, lists of 20,000; of three in ten the bytes are changed besides. Ends with 1
if an answer has no reason or comes after a second, and with an error if a good request is not served after them.
"""

from __future__ import annotations

import collections
import math
import random
import sys
import time
from typing import Any, Iterator

import grpc

from dosegrid import _wire

COUNT = 1300
LATEST_S = 1.0
PATIENCE_S = 20.0
DOUBLES = (math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 5e-324, 1e-300, 1e300, 1.7976931348623157e308)
TEXTS = (
    "",
    " ",
    "Lu-177\0",
    "x" * 100_000,
    "../../etc/passwd",
    "é" * 300,
    "\n\r\t",
    "Xx-999",
    "jobs/0",
    "'\";--",
    "١٢",
)
MANY = 20_000


def edges(field: Any, rng: random.Random) -> Any:
    """A value at an edge of a scalar field."""
    kind = field.cpp_type
    if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        # A float holds no more than 3.4e38.
        value = rng.choice(DOUBLES)
        return value if kind == field.CPPTYPE_DOUBLE or not 4e38 < abs(value) < math.inf else 3.4e38
    if kind in (field.CPPTYPE_INT32, field.CPPTYPE_ENUM):
        return rng.choice((0, -1, 99, 2**31 - 1, -(2**31)))
    if kind == field.CPPTYPE_INT64:
        return rng.choice((0, -1, 2**63 - 1, -(2**63)))
    if kind == field.CPPTYPE_UINT32:
        return rng.choice((0, 1, 2**16, 2**31, 2**32 - 1))
    if kind == field.CPPTYPE_UINT64:
        return rng.choice((0, 1, 2**33, 2**63, 2**64 - 1))
    if kind == field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    text = rng.choice(TEXTS)
    return text.encode() if field.type == field.TYPE_BYTES else text


def is_list(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def spoil(message: Any, rng: random.Random) -> None:
    """Changes one field of a message, or of one within."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    field = rng.choice(fields)
    if rng.random() < 0.1:
        message.ClearField(field.name)
        return
    value = getattr(message, field.name)
    if is_list(field):
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        times = MANY if rng.random() < 0.15 else rng.randrange(1, 4)
        if is_map:
            return
        for _ in range(times):
            if field.message_type is None:
                value.append(edges(field, rng))
            else:
                inner = value.add()
                if times < MANY:
                    spoil(inner, rng)
        return
    if field.message_type is None:
        setattr(message, field.name, edges(field, rng))
        return
    value.SetInParent()
    for _ in range(rng.randrange(1, 4)):
        spoil(value, rng)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Bytes that are cut, changed or there twice."""
    changed = bytearray(content or b"\x0a\x00")
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    if rng.random() < 0.3:
        changed = changed[: rng.randrange(len(changed) + 1)]
    return bytes(changed) if rng.random() < 0.8 else bytes(changed) * 2


def reason_of(error: grpc.RpcError) -> str:
    """The reason in the details of an error; empty if there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in _wire.message("google.rpc.Status").FromString(value).details:
                if detail.type_url.endswith("google.rpc.ErrorInfo"):
                    return str(_wire.message("google.rpc.ErrorInfo").FromString(detail.value).reason)
    return ""


METHODS = (
    ("DoseService", "Compute"),
    ("DoseService", "MergeTallies"),
    ("DoseService", "Resample"),
    ("DoseService", "Integrate"),
    ("DoseService", "ComputeBed"),
    ("DoseService", "IntegrateCurves"),
    ("DoseService", "ComputeBudget"),
    ("DoseService", "ComputeKernel"),
    ("DoseService", "GetNuclide"),
    ("JobService", "CreateJob"),
    ("JobService", "GetJob"),
    ("JobService", "ListJobs"),
    ("JobService", "WatchJob"),
    ("JobService", "CancelJob"),
    ("JobService", "DeleteJob"),
    ("VolumeService", "CheckVolumes"),
    ("VolumeService", "PutVolume"),
    ("VolumeService", "GetVolume"),
    ("VolumeService", "DeleteVolume"),
)
STREAMS_IN = {"Compute", "MergeTallies", "Resample", "Integrate", "ComputeBed", "PutVolume"}
STREAMS_OUT = {"Compute", "MergeTallies", "Resample", "Integrate", "ComputeBed", "WatchJob", "GetVolume"}


def call(channel: grpc.Channel, service: str, name: str, contents: list[bytes]) -> None:
    """Calls a method with requests as bytes, and reads all that it answers."""
    path = _wire.Method(service, name).path
    plain = {"request_serializer": None, "response_deserializer": None}
    request: Iterator[bytes] | bytes = iter(contents) if name in STREAMS_IN else contents[0]
    ways = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    answer = ways[name in STREAMS_IN, name in STREAMS_OUT](path, **plain)(request, timeout=PATIENCE_S)
    if name in STREAMS_OUT:
        for _ in answer:
            pass


def peak_bytes(pid: int) -> int:
    """Most memory that a process has had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def main() -> int:
    server, pid = sys.argv[1], int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else COUNT
    rng = random.Random(20)
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    faults, slowest = [], (0.0, "")
    with grpc.insecure_channel(server, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call(channel, "DoseService", "GetServerInfo", [b""])
        before = peak_bytes(pid)
        for number in range(count):
            service, name = METHODS[number % len(METHODS)]
            messages = []
            for _ in range(rng.randrange(1, 3) if name in STREAMS_IN else 1):
                message = _wire.Method(service, name).request()
                for _ in range(rng.randrange(1, 6)):
                    spoil(message, rng)
                if name == "CreateJob" and rng.random() < 0.8:
                    message.validate_only = True
                content = message.SerializeToString()
                messages.append(mutated(content, rng) if rng.random() < 0.3 else content)
            begun = time.perf_counter()
            code, reason = "OK", ""
            try:
                call(channel, service, name, messages)
            except grpc.RpcError as error:
                code, reason = error.code().name, reason_of(error)
            took = time.perf_counter() - begun
            slowest = max(slowest, (took, f"{name} {code} {reason}, request {number}"))
            found[code, reason] += 1
            if (code != "OK" and not reason) or code in ("UNKNOWN", "INTERNAL", "CANCELLED"):
                faults.append(f"{number}: {name} ended with {code}, reason {reason or 'none'}")
            if took > LATEST_S:
                faults.append(f"{number}: {name} was answered after {took:.2f} s with {code} {reason}")
        call(channel, "DoseService", "GetServerInfo", [b""])
    for (code, reason), times in found.most_common():
        print(f"{times:6} {code} {reason}")
    print(f"slowest: {slowest[0] * 1000:.0f} ms, {slowest[1]}")
    print(f"memory of the server: {before / 2**20:.0f} MiB before, {peak_bytes(pid) / 2**20:.0f} MiB at most")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
