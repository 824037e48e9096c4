"""Why a server could not be used, in words for the people who run projectapi: nothing of what an exception says is repeated."""

from __future__ import annotations

from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

_REFUSED_USER = frozenset({18, 8000})
"""MongoDB's own code for a failed authentication, and Atlas'."""

_NOT_AUTHORISED = 13


def database_trouble(error: PyMongoError) -> tuple[str, str]:
    """Return what is wrong, to follow the word MongoDB, and what to do about it."""
    if isinstance(error, OperationFailure) and error.code in _REFUSED_USER:
        return "refuses the user or the password", (
            "Compare MONGODB_URI with Atlas' Database Access; special characters of the password must be percent-encoded."
        )
    if isinstance(error, OperationFailure) and error.code == _NOT_AUTHORISED:
        return "does not allow this user to look", "Give the user in MONGODB_URI the role readWrite on MONGODB_DATABASE."
    if isinstance(error, ConfigurationError):
        return "has host names that cannot be looked up", "See that MONGODB_URI is complete and that DNS works here."
    if any(sign in str(error) for sign in ("SSL", "CERTIFICATE", "TLS")):
        return "and this machine cannot agree on TLS", (
            "See that MONGODB_URI asks for TLS just when the server offers it, and that its certificate is valid here."
        )
    return "does not answer", "See that it runs, that MONGODB_URI names it, and that its network access list lets this host in."
