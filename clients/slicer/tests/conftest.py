"""The server of the Python client's tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))

from tests.conftest import program, server, store  # noqa: E402, F401
