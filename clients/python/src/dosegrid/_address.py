"""Where a server is, whom to trust, and who calls."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import grpc

from ._errors import FieldError, of_fields

#: A file of PEM, or its content.
Pem = Union[str, "os.PathLike[str]", bytes]
#: Wait after a connection that failed before the next one is tried: the first, and the longest, in ms.
_FIRST_RECONNECT_MS, _LAST_RECONNECT_MS = 100, 1000


@dataclass(frozen=True)
class Access:
    """How to reach a server."""

    #: HOST:PORT.
    target: str
    tls: bool
    credentials: Any = field(default=None, repr=False)
    token: Optional[str] = field(default=None, repr=False)
    server_name: Optional[str] = None

    @property
    def url(self) -> str:
        """The address as the command line takes it."""
        return f"{'https' if self.tls else 'http'}://{self.target}"

    def channel(self) -> Any:
        """A connection that is not open yet."""
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
            # Calls are sent again by this package, which knows when nothing is computed twice.
            ("grpc.enable_retries", 0),
            # A server that is back is found soon: gRPC would wait up to two minutes, during which every call fails.
            ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
            ("grpc.max_reconnect_backoff_ms", _LAST_RECONNECT_MS),
            # A connection of its own: others in this process may have other settings.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if is_loopback(self.target.rpartition(":")[0]):
            options.append(("grpc.enable_http_proxy", 0))
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        if self.tls:
            return grpc.secure_channel(self.target, self.credentials, options)
        return grpc.insecure_channel(self.target, options)

    def metadata(self, request_id: str) -> list[tuple[str, str]]:
        """What goes with each call."""
        found = [("x-request-id", request_id)]
        if self.token:
            found.append(("authorization", f"Bearer {self.token}"))
        return found


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, on which no proxy is used."""
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access(
    address: str,
    *,
    tls: Optional[bool] = None,
    ca: Optional[Pem] = None,
    certificate: Optional[Pem] = None,
    key: Optional[Pem] = None,
    token: Optional[str] = None,
    server_name: Optional[str] = None,
) -> Access:
    """Reads an address and credentials; what is not given is looked for in DOSEGRID_TOKEN, DOSEGRID_CA,
    DOSEGRID_CLIENT_CERTIFICATE and DOSEGRID_CLIENT_KEY.

    :raises InvalidRequest: names everything that cannot be used
    :raises OSError: if a file cannot be read
    """
    faults: list[FieldError] = []
    scheme, found, rest = address.strip().partition("://")
    target = rest if found else scheme
    if found and scheme not in ("http", "https"):
        faults.append(FieldError("server", f"begins with http:// or https://, got {address!r}"))
    host, colon, port = target.rstrip("/").rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536) or "/" in host:
        faults.append(FieldError("server", f"is a host and a port, such as 127.0.0.1:50051; got {address!r}"))
    of_scheme = {"http": False, "https": True}.get(scheme) if found else None
    if tls is not None and of_scheme is not None and tls != of_scheme:
        faults.append(FieldError("tls", f"is {tls}, and the address begins with {scheme}://"))
    wants_tls = next((one for one in (tls, of_scheme) if one is not None), ca is not None or certificate is not None)
    given = {"ca": ca, "certificate": certificate, "key": key}
    if wants_tls:
        given = {name: value if value is not None else _variable(name) for name, value in given.items()}
        if (given["certificate"] is None) != (given["key"] is None):
            faults.append(FieldError("key", "a certificate and its key are given together, or neither"))
    else:
        faults += [FieldError(name, "has no effect without TLS: https://…") for name, one in given.items() if one]
    token = token or _environment("DOSEGRID_TOKEN")
    if token and not (token.isascii() and token.isprintable()):
        faults.append(FieldError("token", "is not plain ASCII"))
    if faults:
        raise of_fields(faults)
    credentials = None
    if wants_tls:
        roots = _pem(given["ca"]) or _system_roots()
        credentials = grpc.ssl_channel_credentials(roots, _pem(given["key"]), _pem(given["certificate"]))
    return Access(f"{host}:{port}", bool(wants_tls), credentials, token, server_name)


def _environment(name: str) -> Optional[str]:
    return os.environ.get(name) or None


def _variable(name: str) -> Optional[str]:
    return _environment({"ca": "DOSEGRID_CA"}.get(name, f"DOSEGRID_CLIENT_{name.upper()}"))


def _pem(given: Optional[Pem]) -> Optional[bytes]:
    if given is None or isinstance(given, bytes):
        return given
    if isinstance(given, str) and given.lstrip().startswith("-----BEGIN"):
        return given.encode()
    with open(given, "rb") as file:
        return file.read()


def _system_roots() -> Optional[bytes]:
    """The authorities of this system; none: those that come with grpcio."""
    path = ssl.get_default_verify_paths().cafile
    return _pem(path) if path and os.path.exists(path) else None
