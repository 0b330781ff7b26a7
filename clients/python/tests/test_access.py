"""TLS, client certificates and tokens, by arguments and by the environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import Any, Iterator

import pytest
from conftest import QUICK

import dosegrid
from dosegrid._server import LocalServer

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes certificates, is absent")
TOKEN = "a-token-of-the-tests"


def openssl(*words: str, folder: Any) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An authority, and certificates of it for a server and a caller."""
    folder = tmp_path_factory.mktemp("keys")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
    authority = ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority"]
    openssl(*authority, folder=folder)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    for name in "server", "caller":
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", folder=folder)
        signed = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        openssl(*signed, "-days", "2", "-extfile", "names", "-out", f"{name}.pem", folder=folder)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    identity = f'[[identity]]\nname = "tester"\ntenant = "tests"\nroles = ["submit"]\ntoken_sha256 = "{digest}"\n'
    (folder / "identities.toml").write_text(identity)
    return folder


@pytest.fixture(scope="module")
def guarded(keys: Any) -> Iterator[str]:
    """A server that wants TLS, a certificate and a token."""
    flags = ["--tls-certificate", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "ca.pem"]
    flags = [str(keys / word) if "." in word else word for word in flags]
    server = LocalServer("cpu", [*flags, "--identities", str(keys / "identities.toml")])
    yield server.address
    assert server.stop() == 0


def test_all_by_arguments(guarded: str, keys: Any, placed: Any) -> None:
    arguments = {"ca": keys / "ca.pem", "certificate": keys / "caller.pem", "key": (keys / "caller.key").read_bytes()}
    with dosegrid.Client(guarded, token=TOKEN, **arguments) as client:
        assert client.url == f"https://{guarded}" and client.compute(**placed, **QUICK).dose.gy.max() > 0
    with dosegrid.Client(guarded, token="another", **arguments) as client:
        with pytest.raises(dosegrid.Unavailable, match="DOSEGRID_TOKEN") as caught:
            client.info()
        assert caught.value.reason == "UNAUTHENTICATED"


def test_all_by_the_environment(guarded: str, keys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DOSEGRID_SERVER", f"https://{guarded}")
    monkeypatch.setenv("DOSEGRID_TOKEN", TOKEN)
    monkeypatch.setenv("DOSEGRID_CA", str(keys / "ca.pem"))
    monkeypatch.setenv("DOSEGRID_CLIENT_CERTIFICATE", str(keys / "caller.pem"))
    monkeypatch.setenv("DOSEGRID_CLIENT_KEY", str(keys / "caller.key"))
    with dosegrid.Client() as client:
        assert client.info()["version"] == dosegrid.__version__


def test_what_is_missing_is_said(guarded: str, keys: Any) -> None:
    strangers: list[tuple[str, dict[str, Any]]] = [
        (f"https://{guarded}", {}),
        (f"http://{guarded}", {}),
        (f"https://{guarded}", {"ca": keys / "ca.pem"}),
    ]
    for address, arguments in strangers:
        with dosegrid.Client(address, connect_timeout=5, **arguments) as client, pytest.raises(dosegrid.Unavailable):
            client.info()
    for arguments, field in [({"certificate": keys / "caller.pem"}, "key"), ({"token": "ü"}, "token")]:
        with pytest.raises(dosegrid.InvalidRequest) as caught:
            dosegrid.Client(f"https://{guarded}", **arguments)
        assert [one.field for one in caught.value.fields] == [field]
    with pytest.raises(dosegrid.InvalidRequest) as caught:
        dosegrid.Client(f"http://{guarded}", ca=keys / "ca.pem", tls=True)
    assert "tls" in [one.field for one in caught.value.fields]
