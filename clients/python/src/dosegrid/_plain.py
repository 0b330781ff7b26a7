"""Messages as plain dictionaries: names as in the protocol, integers as integers."""

from __future__ import annotations

from typing import Any


def plain(message: Any) -> dict[str, Any]:
    """All fields that a message has; lists and maps even if they are empty."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if hasattr(value, "items"):
            found[field.name] = {key: _value(field, one) for key, one in value.items()}
        elif _is_repeated(field):
            found[field.name] = [_value(field, one) for one in value]
        elif not field.has_presence or message.HasField(field.name):
            found[field.name] = _value(field, value)
    return found


def _is_repeated(field: Any) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(repeated if repeated is not None else field.label == field.LABEL_REPEATED)


def _value(field: Any, value: Any) -> Any:
    if hasattr(value, "DESCRIPTOR"):
        return plain(value)
    if field.enum_type is not None:
        values = field.enum_type.values_by_number
        if value in values:
            name: str = values[value].name
            prefix = values[0].name[: -len("UNSPECIFIED")]
            return name[len(prefix) :].lower()
    return value
