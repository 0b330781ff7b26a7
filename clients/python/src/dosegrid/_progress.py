"""How far a computation is."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Union

from . import _wire
from ._errors import FieldError, of_fields


@dataclass(frozen=True)
class Progress:
    """How far a computation is."""

    #: Fraction of the whole that is done, 0 to 1; it never falls.
    fraction: float
    #: What it is doing: queued, kernel, tables, dose, finish.
    stage: str
    #: Fraction of that stage.
    stage_fraction: float
    #: Calls that have the device before this one, while it is queued and where the server knows it.
    calls_ahead: Optional[int] = None
    #: Estimated time until the end in s, where the server knows it.
    time_left_s: Optional[float] = None
    #: monte-carlo: histories done.
    histories: Optional[int] = None
    #: monte-carlo: relative 1σ reached.
    relative_sigma: Optional[float] = None

    def __str__(self) -> str:
        text = f"{self.stage} {100 * self.stage_fraction:.0f} %"
        if self.calls_ahead:
            text = f"{self.stage}, {self.calls_ahead} before this one"
        if self.relative_sigma is not None:
            text += f", 1σ {100 * self.relative_sigma:.2f} %"
        if self.time_left_s is not None:
            text += f", {self.time_left_s:.0f} s left"
        return text


#: Hears of progress, or `True` for a bar.
OnProgress = Union[Callable[[Progress], Any], bool, None]


def of_message(message: Any, before: float) -> Progress:
    """Progress from the wire.

    :param before: the fraction that was told before, which is not fallen below
    """
    has = message.HasField
    transport = message.transport if has("transport") else None
    return Progress(
        fraction=max(before, message.overall_fraction),
        stage=_wire.name_of("Stage", message.stage),
        stage_fraction=message.fraction,
        calls_ahead=message.calls_ahead if has("calls_ahead") else None,
        time_left_s=message.time_left_s if has("time_left_s") else None,
        histories=transport.histories if transport is not None else None,
        relative_sigma=(
            transport.relative_sigma if transport is not None and transport.HasField("relative_sigma") else None
        ),
    )


@contextlib.contextmanager
def listener(on_progress: OnProgress) -> Iterator[Callable[[Progress], Any]]:
    """What hears of progress while a call runs."""
    if on_progress is None or on_progress is False:
        yield lambda progress: None
    elif on_progress is True:
        with _bar() as show:
            yield show
    elif callable(on_progress):
        yield on_progress
    else:
        reason = f"is a function that hears of progress, True for a bar, or None; got {on_progress!r}"
        raise of_fields([FieldError("progress", reason)])


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], Any]]:
    """A bar by tqdm, in a notebook too; a line for each stage without it."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        seen: list[str] = []

        def line(progress: Progress) -> None:
            if [progress.stage] != seen:
                seen[:] = [progress.stage]
                print(progress, file=sys.stderr)

        yield line
        return
    with tqdm(total=100, bar_format="{l_bar}{bar}| {elapsed} {postfix}", file=sys.stderr) as bar:

        def show(progress: Progress) -> None:
            bar.set_postfix_str(str(progress), refresh=False)
            bar.update(100 * progress.fraction - bar.n)

        yield show
