"""Changes one thing of a message after another: every field in all depths, each to the edges of its type."""

from __future__ import annotations

import math
from typing import Any, Iterator

from hostile import is_list

DEEPEST = 3
MANY = 20_000
# Stands in every text, so that one that is told again is seen.
MARK = "MarkOfACaller"
DOUBLES = (math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 5e-324, 1e-300, 1e-12, 1e12, 1e300, 1.7976931348623157e308)
TEXTS = (
    "",
    " ",
    MARK,
    MARK * 8000,
    "../" + MARK,
    MARK + "\0",
    "\n\r\t" + MARK,
    "jobs/" + MARK,
    "é" * 300,
    "sha256:" + "0" * 64,
)


def edges(field: Any) -> list[Any]:
    """Values at the edges of a scalar field."""
    kind = field.cpp_type
    if kind == field.CPPTYPE_DOUBLE:
        return list(DOUBLES)
    if kind == field.CPPTYPE_ENUM:
        return [0, -1, 99, 2**31 - 1, -(2**31), *(value.number for value in field.enum_type.values if value.number)]
    if kind == field.CPPTYPE_INT32:
        return [0, 1, -1, 99, 2**31 - 1, -(2**31)]
    if kind == field.CPPTYPE_INT64:
        return [0, 1, -1, 2**63 - 1, -(2**63)]
    if kind == field.CPPTYPE_UINT32:
        return [0, 1, 7, 2**16, 2**31, 2**32 - 1]
    if kind == field.CPPTYPE_UINT64:
        return [0, 1, 7, 2**33, 2**63, 2**64 - 1]
    if kind == field.CPPTYPE_BOOL:
        return [False, True]
    return [text.encode() for text in TEXTS] if field.type == field.TYPE_BYTES else list(TEXTS)


def told(value: Any) -> str:
    """A value, short."""
    text = repr(value)
    return text if len(text) < 40 else f"{text[:30]}… ({len(text)})"


def of_map(message: Any, field: Any) -> Iterator[str]:
    """Changes a map, step by step."""
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    whole = getattr(message, field.name)
    good = dict(whole)
    for one in edges(key):
        whole[one] = next(iter(good.values()), edges(value)[2])
        yield f"[{told(one)}]"
        whole.clear()
        whole.update(good)
    for one in edges(value):
        whole[next(iter(good), 1 if key.cpp_type == key.CPPTYPE_UINT32 else "H")] = one
        yield f"[] = {told(one)}"
        whole.clear()
        whole.update(good)
    for number in range(MANY):
        whole[number if key.cpp_type == key.CPPTYPE_UINT32 else str(number)] = edges(value)[2]
    yield f" of {MANY}"


def of_list(message: Any, field: Any, depth: int) -> Iterator[str]:
    """Changes a list, step by step. A message comes back as it was."""
    values = getattr(message, field.name)
    good = list(values)
    if field.message_type is None:
        for one in edges(field):
            for place in range(max(1, min(2, len(good)))):
                values[:] = [*good[:place], one, *good[place + 1 :]]
                yield f"[{place}] = {told(one)}"
        for other in ([], good[:-1], good + good[-1:], good * 2, [edges(field)[-1]] * MANY):
            values[:] = other
            yield f" of {len(other)}"
        values[:] = good
        return
    if not good:
        values.add()
        yield " of one that is empty"
    for step in of_message(values[0], depth + 1):
        yield "[0]" + step
    del values[:]
    for _ in range(MANY):
        values.add()
    yield f" of {MANY} that are empty"
    del values[:]
    for times in (2, 3000) if good else ():
        for _ in range(times):
            values.add().CopyFrom(good[0])
        yield f" of {times} alike"
        del values[:]
    yield " of none"
    values.extend(good)


def of_message(message: Any, depth: int = 0) -> Iterator[str]:
    """Changes one thing of a message after another; yields where and what. It is as it was before each change."""
    good = type(message)()
    good.CopyFrom(message)
    for field in message.DESCRIPTOR.fields:
        if is_list(field):
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            steps = of_map(message, field) if is_map else of_list(message, field, depth)
            for step in steps:
                yield f".{field.name}{step}"
        elif field.message_type is None:
            for one in edges(field):
                setattr(message, field.name, one)
                yield f".{field.name} = {told(one)}"
        else:
            inner = getattr(message, field.name)
            if message.HasField(field.name):
                for step in of_message(inner, depth + 1):
                    yield f".{field.name}{step}"
                message.ClearField(field.name)
                yield f".{field.name} missing"
            getattr(message, field.name).SetInParent()
            yield f".{field.name} empty"
            # Another kind of the same has a request of its own.
            kinds = field.containing_oneof
            is_other = kinds is not None and good.WhichOneof(kinds.name) is not None
            if not good.HasField(field.name) and not is_other and depth < DEEPEST:
                for step in of_message(getattr(message, field.name), depth + 1):
                    yield f".{field.name}{step}"
        message.CopyFrom(good)
