"""What a MongoDB connection string says, read without asking the network and without repeating it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

_UNCHECKED = ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """The traits of a connection string; `is_local` means that no host of it is reached over the internet."""

    is_srv: bool
    has_user: bool
    uses_tls: bool
    checks_certificates: bool
    is_local: bool


def read_connection_string(uri: str) -> ConnectionString:
    """Return the traits of `uri`, which the settings have already checked."""
    parts, options = urlsplit(uri), options_of(uri)
    is_srv = parts.scheme == "mongodb+srv"
    user, _, hosts = parts.netloc.rpartition("@")
    tls = options.get("tls", options.get("ssl", "true" if is_srv else "false")) == "true"
    return ConnectionString(
        is_srv=is_srv,
        has_user=bool(user) or options.get("authmechanism") in ("mongodb-x509", "mongodb-aws", "mongodb-oidc"),
        uses_tls=tls,
        checks_certificates=tls and not any(options.get(name) == "true" for name in _UNCHECKED),
        is_local=not is_srv and all(_is_near(host) for host in hosts.split(",")),
    )


def options_of(uri: str) -> dict[str, str]:
    """Return the options of `uri`, names and values in lower case; MongoDB allows ; between them."""
    query = uri.partition("?")[2].replace(";", "&")
    return {name.lower(): value.lower() for name, value in parse_qsl(query, keep_blank_values=True)}


def _is_near(host: str) -> bool:
    """Tell whether a host is this machine, in a private network, or one of those names without a dot that containers have."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.lower().endswith(".sock")
    return address.is_private
