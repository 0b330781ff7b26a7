"""Words and quantities as on the command line: `50h`, `7.4GBq`, `10keV`, `density-scaled`."""

from __future__ import annotations

import datetime
import difflib
from typing import Any, Iterable, Union

from . import _wire

#: A time: a number with the unit s, min, h or d, such as `"50h"`, or a `timedelta`. Plain numbers have no unit.
Time = Union[str, datetime.timedelta]

_TIMES = {"min": 60.0, "s": 1.0, "h": 3600.0, "d": 86400.0}
_ACTIVITIES = {"kbq": 1e3, "mbq": 1e6, "gbq": 1e9, "tbq": 1e12, "bq": 1.0}
_ENERGIES = {"kev": 1e-3, "mev": 1.0}


class BadWord(ValueError):
    """What is wrong with a word or quantity, in words that follow its name."""


def _quantity(text: Any, units: dict[str, float], example: str, names: str) -> float:
    if isinstance(text, str):
        low = text.strip().lower()
        for unit, factor in units.items():
            if low.endswith(unit):
                try:
                    return float(low[: -len(unit)]) * factor
                except ValueError:
                    break
    raise BadWord(f"is a number with the unit {names}, such as {example}; got {text!r}")


def time_s(value: Time) -> float:
    """A time in s.

    :raises BadWord: for what is no time
    """
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return _quantity(value, _TIMES, '"50h"', "s, min, h or d")


def activity_bq(value: str) -> float:
    """An activity in Bq."""
    return _quantity(value, _ACTIVITIES, '"7.4GBq"', "Bq to TBq")


def energy_mev(value: str) -> float:
    """An energy in MeV."""
    return _quantity(value, _ENERGIES, '"10keV"', "keV or MeV")


def one_of(value: Any, known: Iterable[str]) -> str:
    """A word that is known.

    :raises BadWord: names those that are, for another
    """
    words = list(known)
    if value in words:
        return str(value)
    near = difflib.get_close_matches(str(value).lower().replace("_", "-"), words, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise BadWord(f"is one of {', '.join(words)}, got {value!r}{meant}")


def enum_number(enum: str, prefix: str, value: Any, known: Iterable[str]) -> int:
    """The number of a word that is a value of an enumeration."""
    word = one_of(value, known).upper().replace("-", "_")
    return _wire.number(enum, f"{prefix}_{word}")
