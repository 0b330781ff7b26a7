"""`python -m dosegrid [SERVER]`: versions, server and device."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from . import Client, DosegridError, __version__


def _versions() -> str:
    found = []
    for name in "grpcio", "protobuf", "numpy", "SimpleITK", "nibabel", "dosegrid-server":
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def main() -> int:
    """Prints what there is; 1 if no server answers."""
    print(f"dosegrid {__version__}, Python {platform.python_version()}")
    print(_versions())
    try:
        with Client(sys.argv[1] if len(sys.argv) > 1 else None) as client:
            info = client.info()
            print(f"server {client.url}, version {info['version']} ({info['commit']})")
            device = info["device"]
            print(f"device {device['id']}: {device['name']} ({device['backend']}, {device['driver']})")
    except DosegridError as error:
        print(f"no server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
