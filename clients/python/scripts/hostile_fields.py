"""Sends good requests with one thing wrong to every call, and looks at each answer.

python hostile_fields.py SERVER PID [OUT]   PID: of the server, which needs a store; OUT: a file for all answers

Of every field that a request has, in all depths, each value from the edges of its type is tried, with the rest of the
request good: numbers, enumerations, texts, lists, maps and messages that are empty, many or missing. Then come whole
requests that are cut, too long, of other wire types, or in another order. An answer must come within a second. It is
OK, or an error that docs/api.md lists, with its code, within the limits of a status, with a field that is named and no
text of the caller's. Every 100 requests a good one must be served. Ends with 1 if anything else is found.
"""

from __future__ import annotations

import collections
import math
import pathlib
import struct
import sys
import time
from typing import Any, Iterator

import grpc
from edges_of_fields import MARK, of_message
from good_requests import Good, digest
from hostile import STREAMS_IN, STREAMS_OUT, peak_bytes

from dosegrid import _wire

LATEST_S = 1.0
PATIENCE_S = 20.0
MOST_OF_STATUS = 4000
MOST_OF_MESSAGE = 512
MOST_VIOLATIONS = 21
API = pathlib.Path(__file__).parents[3] / "docs" / "api.md"

Case = tuple[str, list[bytes]]


def documented() -> set[tuple[str, str]]:
    """Codes and reasons of the table of errors."""
    rows = API.read_text(encoding="utf-8").split("| code | reason | when |")[1].splitlines()[2:]
    found = set()
    for row in rows:
        if not row.startswith("|"):
            break
        code, reasons = row.split("|")[1:3]
        found |= {(code.strip(), reason) for reason in reasons.split("`")[1::2]}
    return found


def spoilt(messages: list[Any], only: tuple[str, ...]) -> Iterator[Case]:
    """A request with one thing wrong, again and again; `only` in some fields if some are named."""
    whole = [message.SerializeToString() for message in messages]
    for place in range(min(len(messages), 2)):
        for step in of_message(messages[place]):
            if not only or f"{place}{step}".startswith(only):
                yield f"{place}{step}", [*whole[:place], messages[place].SerializeToString(), *whole[place + 1 :]]
    if only:
        return
    first = whole[0]
    for cut in sorted({len(first) * part // 12 for part in range(1, 12)} - {0}):
        yield f"cut at {cut}", [first[:cut], *whole[1:]]
    for place in range(0, len(first), max(1, len(first) // 24)):
        for flip in (0x01, 0x07, 0x80):
            yield (
                f"byte {place} ^ {flip}",
                [first[:place] + bytes([first[place] ^ flip]) + first[place + 1 :], *whole[1:]],
            )
    odd = {
        "an unknown field": b"\xfa\xff\x07\x03abc",
        "an unknown field that is long": b"\xfa\xff\x07\x80\x80\x40" + b"x" * (1 << 20),
        "field 0": b"\x00\x01",
        "a length past the end": b"\x0a\xff\xff\xff\xff\x0f",
        "a length of 64 bits": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "a varint without an end": b"\x08" + b"\xff" * 20,
        "groups within groups": b"\x0b" * 100_000,
        "a group that ends alone": b"\x0c",
        "wire type 6": b"\x0e\x01",
        "text that is not UTF-8": b"\x0a\x02\xff\xfe\x12\x02\xff\xfe",
        "messages within messages": b"\x0a\x7e" * 60 + b"\x0a\x00",
        "a million empty first fields": b"\x0a\x00" * 1_000_000,
        "a million empty fields of each kind": b"\x0a\x00\x12\x00\x1a\x00\x22\x00\x42\x00\x52\x00" * 160_000,
        "5 MiB": b"\x0a\x80\x80\xc0\x02" + b"x" * (5 << 20),
    }
    for name, content in odd.items():
        yield f"{name}, alone", [content, *whole[1:]]
        if len(content) < 1 << 21:
            yield f"{name}, added", [first + content, *whole[1:]]
    yield "twice the first", [first, *whole]
    yield "the last first", [whole[-1], *whole[:-1]]
    yield "without the last", whole[:-1]
    yield "the last twice", [*whole, whole[-1]]
    yield "nothing", []
    yield "an empty one", [b""]
    yield "10,000 empty ones after it", [*whole, *[b""] * 10_000]


class Answer:
    """How a call ended."""

    def __init__(self, error: grpc.RpcError | None) -> None:
        self.code, self.reason, self.message, self.fields = "OK", "", "", list[str]()
        self.faults: list[str] = []
        if error is None:
            return
        self.code = error.code().name
        self.message = message = error.details() or ""
        raw = b""
        for key, value in error.trailing_metadata() or ():
            raw = value if key == "grpc-status-details-bin" else raw
        for detail in _wire.message("google.rpc.Status").FromString(raw).details:
            kind = detail.type_url.rpartition("/")[2]
            if kind == "google.rpc.ErrorInfo":
                info = _wire.message(kind).FromString(detail.value)
                self.reason = info.reason
                if info.domain != "dosegrid":
                    self.faults.append(f"domain {info.domain}")
            elif kind == "google.rpc.BadRequest":
                violations = _wire.message(kind).FromString(detail.value).field_violations
                self.fields = [violation.field for violation in violations]
                if len(violations) > MOST_VIOLATIONS or not all(v.field and v.description for v in violations):
                    self.faults.append("fields without a name, or too many")
        if len(raw) > MOST_OF_STATUS or len(message.encode()) > MOST_OF_MESSAGE:
            self.faults.append(f"status of {len(raw)} bytes, message of {len(message.encode())}")
        if MARK.encode() in raw or MARK in message:
            self.faults.append(f"tells a text of the caller's: {message[:200]}")
        if self.reason in ("INVALID_REQUEST", "IMPLAUSIBLE") and not self.fields:
            self.faults.append(f"names no field: {message[:200]}")


def ask(channel: grpc.Channel, service: str, name: str, contents: list[bytes]) -> tuple[Answer, list[bytes]]:
    """Calls a method with requests as bytes, and reads all that it answers."""
    ways = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    path = _wire.method(service, name).path
    way = ways[name in STREAMS_IN, name in STREAMS_OUT](path, request_serializer=None, response_deserializer=None)
    request: Any = iter(contents) if name in STREAMS_IN else (contents or [b""])[0]
    try:
        answer = way(request, timeout=PATIENCE_S)
        return Answer(None), list(answer) if name in STREAMS_OUT else [answer]
    except grpc.RpcError as error:
        return Answer(error), []


def not_physical(responses: list[bytes]) -> bool:
    """Whether a dose has a value that no dose has."""
    for content in responses:
        response = _wire.message("ComputeResponse").FromString(content)
        data = response.chunk.data if response.WhichOneof("message") == "chunk" else b""
        if any(not 0 <= value < math.inf for (value,) in struct.iter_unpack("<f", data)):
            return True
    return False


def prepare(channel: grpc.Channel, good: Good) -> str:
    """Stores what is needed; the name of a job that has ended."""
    put = _wire.message("PutVolumeRequest")
    for content in (good.map, good.density, good.labels):
        message = put(digest=digest(content), size_bytes=len(content), data=content)
        answer, _ = ask(channel, "VolumeService", "PutVolume", [message.SerializeToString()])
        assert answer.code == "OK", answer.message
    method = good.monte_carlo()
    method["monte_carlo"]["return_tally"] = True
    requests = [message.SerializeToString() for message in good.compute(method)]
    answer, responses = ask(channel, "DoseService", "Compute", requests)
    assert answer.code == "OK", answer.message
    for content in responses:
        good.tally += _wire.message("ComputeResponse").FromString(content).tally_chunk.data
    request = good.job({"local": {}})[0]
    request.validate_only = False
    answer, [content] = ask(channel, "JobService", "CreateJob", [request.SerializeToString()])
    name: str = _wire.message("CreateJobResponse").FromString(content).job.name
    watch = _wire.message("WatchJobRequest")(name=name).SerializeToString()
    _, states = ask(channel, "JobService", "WatchJob", [watch])
    assert _wire.message("WatchJobResponse").FromString(states[-1]).job.state == 3
    return name


class Trial:
    """All requests, and what was found."""

    def __init__(self, channel: grpc.Channel, good: Good) -> None:
        self.channel, self.known = channel, documented()
        self.found: collections.Counter[tuple[str, str]] = collections.Counter()
        self.faults: list[str] = []
        self.told: list[str] = []
        self.slowest = (0.0, "")
        self.number = 0
        self.served = [message.SerializeToString() for message in good.compute({"local": {}})]

    def try_one(self, service: str, name: str, what: str, contents: list[bytes]) -> None:
        begun = time.perf_counter()
        answer, responses = ask(self.channel, service, name, contents)
        took = time.perf_counter() - begun
        self.slowest = max(self.slowest, (took, f"{name} {what}: {answer.code} {answer.reason}"))
        self.found[answer.code, answer.reason] += 1
        faults = answer.faults
        if answer.code != "OK" and (answer.code, answer.reason) not in self.known:
            faults.append(f"not documented: {answer.message[:200]}")
        if answer.code in ("UNKNOWN", "INTERNAL", "CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"):
            faults.append(f"must not be: {answer.message[:200]}")
        # What was accepted may have been long.
        if took > LATEST_S and answer.code != "OK":
            faults.append(f"after {took:.2f} s")
        if name == "Compute" and not_physical(responses):
            faults.append("a dose that is none")
        self.faults += [f"{name} {what}: {answer.code} {answer.reason} {fault}" for fault in faults]
        fields = f"{answer.reason} {answer.fields[:3]} {answer.message[:150]}"
        self.told.append(f"{took:.3f} {name} {what}: {answer.code} {fields if answer.code != 'OK' else ''}")
        self.number += 1
        if self.number % 100 == 0:
            begun = time.perf_counter()
            answer, responses = ask(self.channel, "DoseService", "Compute", self.served)
            if answer.code != "OK" or not_physical(responses) or time.perf_counter() - begun > LATEST_S:
                self.faults.append(f"a good request after {name} {what}: {answer.code} {answer.reason}")


def main() -> int:
    server, pid = sys.argv[1], int(sys.argv[2])
    good = Good()
    with grpc.insecure_channel(server, options=[("grpc.enable_http_proxy", 0)]) as channel:
        job = prepare(channel, good)
        before = peak_bytes(pid)
        trial = Trial(channel, good)
        for service, name, messages, only in good.all(job):
            answer, _ = ask(channel, service, name, [message.SerializeToString() for message in messages])
            if answer.code != "OK" and not name.startswith("Delete"):
                trial.faults.append(f"{name}, good: {answer.code} {answer.reason} {answer.message}")
            first = trial.number
            for what, contents in spoilt(messages, only):
                trial.try_one(service, name, what, contents)
            print(f"{name}: {trial.number - first}", flush=True)
            if len(sys.argv) > 3:
                pathlib.Path(sys.argv[3]).write_text("\n".join(trial.told), encoding="utf-8")
    for (code, reason), times in trial.found.most_common():
        print(f"{times:6} {code} {reason}")
    print(f"{trial.number} requests; slowest: {trial.slowest[0] * 1000:.0f} ms, {trial.slowest[1]}")
    print(f"memory of the server: {before / 2**20:.0f} MiB before, {peak_bytes(pid) / 2**20:.0f} MiB at most")
    for fault in trial.faults:
        print(fault)
    return 1 if trial.faults else 0


if __name__ == "__main__":
    sys.exit(main())
