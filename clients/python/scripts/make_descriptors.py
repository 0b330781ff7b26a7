"""Makes `src/dosegrid/descriptors.pb`, the protocol that the package reads, from `proto/` of this project.

pip install -r scripts/requirements.txt
python scripts/make_descriptors.py           # writes it
python scripts/make_descriptors.py --check   # fails if it is stale
"""

import importlib.resources
import pathlib
import sys
import tempfile

import google.rpc.error_details_pb2  # noqa: F401  (tells early that googleapis-common-protos is missing)
import google.rpc.status_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

CLIENT = pathlib.Path(__file__).resolve().parent.parent
PROTO = CLIENT.parent.parent / "proto"
TARGET = CLIENT / "src" / "dosegrid" / "descriptors.pb"
GOOGLE = ["google/rpc/error_details.proto", "google/rpc/status.proto"]


def descriptor_set() -> bytes:
    """All messages of the service, and those of google.rpc that errors carry, each file after those it needs."""
    includes = [PROTO, pathlib.Path(str(importlib.resources.files("grpc_tools"))) / "_proto"]
    includes.append(pathlib.Path(google.rpc.status_pb2.__file__).parent.parent.parent)
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "set.pb"
        arguments = ["protoc", f"--descriptor_set_out={out}", "--include_imports"]
        arguments += [f"-I{include}" for include in includes]
        if protoc.main(arguments + files + GOOGLE) != 0:
            sys.exit("the protocol cannot be compiled")
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    for file in found.file:
        file.ClearField("source_code_info")
        # Options of code generators differ from release to release, and nothing reads them.
        file.ClearField("options")
    return found.SerializeToString(deterministic=True)


def main() -> None:
    made = descriptor_set()
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_bytes() != made:
            sys.exit(f"{TARGET} is stale: run {pathlib.Path(__file__).name}")
    else:
        TARGET.write_bytes(made)
    print(f"{TARGET.name}: {len(made)} bytes")


if __name__ == "__main__":
    main()
