"""A server of this process's own, on loopback: it ends when the process does, however that ends."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sysconfig
import tempfile
import time
import weakref
from typing import Callable, Optional, Sequence

from ._errors import Unavailable

#: Longest wait until a server listens, in s.
START_S = 10.0
#: Longest wait until it has ended, in s.
_END_S = 5.0
_POLL_S = 0.01
#: Lines of its log that are told if it does not start.
_LINES = 5


def program() -> str:
    """The server's program: DOSEGRID_PROGRAM, that of the package `dosegrid-server`, or `dosegrid` on the PATH.

    :raises Unavailable: if there is none
    """
    given = os.environ.get("DOSEGRID_PROGRAM")
    beside = os.path.join(sysconfig.get_path("scripts"), "dosegrid")
    for candidate in (given, beside, "dosegrid"):
        found = shutil.which(candidate) if candidate else None
        if found:
            return found
        if candidate and candidate == given:
            raise Unavailable(f"DOSEGRID_PROGRAM is {given}, which is no program")
    raise Unavailable(
        "no server was given, and there is none to start: give an address (server=…, or DOSEGRID_SERVER), "
        "or install one: pip install 'dosegrid[server]'"
    )


class LocalServer:
    """A server that was started for one client.

    :param flags: more flags of `dosegrid serve`
    :param look: called now and then until it listens; what raises there gives it up
    :raises Unavailable: if it does not listen within 10 s
    """

    def __init__(
        self, device: str = "auto", flags: Sequence[str] = (), look: Callable[[], object] = lambda: None
    ) -> None:
        self._program = program()
        command = [self._program, "serve", "--listen", "127.0.0.1:0", "--device", device, "--end-with-stdin"]
        # Variables are for clients here, and keys of its own to a server.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOSEGRID_")}
        with tempfile.TemporaryDirectory(prefix="dosegrid-") as folder:
            ready = pathlib.Path(folder) / "ready.json"
            log_path = pathlib.Path(folder) / "log"
            with open(log_path, "wb") as log:
                self._process = subprocess.Popen(
                    [*command, "--ready-file", str(ready), *flags],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env=environment,
                    # Ctrl-C in a terminal is for this process, which then ends the call.
                    start_new_session=True,
                )
            _started.add(self)
            self.address = self._listens(ready, log_path, look)

    def _listens(self, ready: pathlib.Path, log: pathlib.Path, look: Callable[[], object]) -> str:
        end = time.monotonic() + START_S
        try:
            while time.monotonic() < end:
                if ready.exists():
                    address: str = json.loads(ready.read_text())["address"]
                    return address
                look()
                status = self._process.poll()
                if status is not None:
                    said = _last(log) or f"it ended with status {status} and said nothing; is it dosegrid?"
                    raise Unavailable(f"the server does not start ({self._program}): {said}")
                time.sleep(_POLL_S)
            # It has had its time, and need not end by itself.
            self._process.kill()
            raise Unavailable(
                f"the server that was started ({self._program}) does not listen after {START_S:.0f} s. {_last(log)}"
            )
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Waits until it has ended, or so long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def let_go(self) -> None:
        """Closes its standard input: it ends when nobody else has that open."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> Optional[int]:
        """Ends it, and waits until it has. Its exit status."""
        self.let_go()
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _last(log: pathlib.Path) -> str:
    """What a server said last."""
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-_LINES:])


#: The servers of this process. One that is forked from it must not keep them alive.
_started: "weakref.WeakSet[LocalServer]" = weakref.WeakSet()


def _let_go_of_all() -> None:
    for server in list(_started):
        server.let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_of_all)
