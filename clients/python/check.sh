#!/usr/bin/env bash
# Checks the Python client against a binary: descriptors, types, tests. Usage: check.sh PROGRAM [FOLDER of the
# environment]. PYTHON chooses the interpreter.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
DOSEGRID_PROGRAM=$(realpath "$1")
export DOSEGRID_PROGRAM
environment=$(realpath -m "${2:-$here/../../target/python}")

# What an earlier build left would be packed again.
rm -rf "$here/build"
[ -x "$environment/bin/python" ] || "${PYTHON:-python3}" -m venv "$environment"
"$environment/bin/pip" install -q --upgrade "$here" -r "$here/scripts/requirements.txt" -r "$here/tests/requirements.txt"
cd "$here"
"$environment/bin/python" scripts/make_descriptors.py --check
"$environment/bin/ruff" format --check --quiet . ../slicer
"$environment/bin/ruff" check --quiet . ../slicer
"$environment/bin/mypy"
"$environment/bin/python" -m pytest
"$environment/bin/python" -m pytest -c pyproject.toml --rootdir ../slicer ../slicer/tests
