"""The program `dosegrid cohort` while it works."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

from . import _errors, _progress
from ._calls import Cancel

#: Longest wait until a cohort that was interrupted has written its tables, in s.
_END_S = 60.0
#: A study that ended: how many have, of how many, and how many seconds, minutes or hours are left.
_ENDED = re.compile(r"(\d+) of (\d+) \((\d+) failed, (?:(\d+) h )?(?:(\d+) min|(\d+) s) left\): ")
_SOME_FAILED = re.compile(r"\d+ (study|studies) failed: studies\.csv says why")
#: Exit status of bad input.
_BAD_INPUT = 2


class _Run:
    """The program while it works. It ends with this process: its standard input is held open as long as that lives."""

    def __init__(self, command: Sequence[str], secrets: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **secrets},
            # Ctrl-C in a terminal is for this process, which then ends it.
            start_new_session=True,
        )
        #: Whether the time that was given for it is over.
        self.is_late = False
        #: Whether it has said all that it had to say: it is about to end.
        self.is_heard = False

    def cancel(self) -> None:
        """Asks it to end: what is done is kept."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def late(self) -> None:
        """Ends it because its time is over."""
        self.is_late = True
        self.cancel()

    def lines(self) -> Iterator[str]:
        """What it says, as it says it."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            yield line.decode(errors="replace").rstrip("\n")
        self.is_heard = True

    def end(self) -> int:
        """Its exit status. If it still works, it is ended."""
        assert self._process.stdin is not None and self._process.stderr is not None
        # Nobody may listen any more, and what it says must not keep it waiting to be heard.
        rest = threading.Thread(target=self._process.stderr.read, daemon=True)
        rest.start()
        try:
            if self._process.poll() is None and not self.is_heard:
                self.cancel()
            return self._process.wait(_END_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            rest.join(_END_S)
            self._process.stdin.close()
            self._process.stderr.close()


def _of_line(line: str) -> Optional[_progress.Progress]:
    found = _ENDED.match(line)
    if found is None:
        return None
    ended, count, _, hours, minutes, seconds = (int(text or 0) for text in found.groups())
    return _progress.Progress(
        ended / count, "studies", ended / count, time_left_s=3600.0 * hours + 60.0 * minutes + seconds
    )


def watched(
    command: Sequence[str],
    secrets: Mapping[str, str],
    listen: Callable[[_progress.Progress], Any],
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> Optional[list[str]]:
    """Runs the program to its end. The faults of its input; none without one.

    :raises DosegridError: for every other end than that of a cohort
    """
    errors: list[str] = []
    running = _Run(command, secrets)
    timer = threading.Timer(timeout, running.late) if timeout is not None else None
    if cancel is not None:
        cancel._begin(running)
    try:
        if timer is not None:
            timer.start()
        for line in running.lines():
            if line.startswith("error: "):
                errors.append(line[len("error: ") :])
            progress = _of_line(line)
            if progress is not None:
                listen(progress)
    finally:
        if timer is not None:
            timer.cancel()
        if cancel is not None:
            cancel._end(running)
        status = running.end()
    if status == 0 or any(_SOME_FAILED.match(error) for error in errors):
        return None
    if status == _BAD_INPUT:
        return errors
    if running.is_late:
        raise _errors.Timeout(f"not done within {timeout:g} s; the same call goes on", reason="CANCELLED")
    if cancel is not None and cancel.cancelled:
        raise _errors.Cancelled("cancelled by the caller; the same call goes on", reason="CANCELLED")
    raise _errors.EngineFailure("; ".join(errors) or f"the program ended with status {status}")
