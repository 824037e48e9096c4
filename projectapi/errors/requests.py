"""What a request can do wrong, whatever it is about."""

from __future__ import annotations

from projectapi.errors.base import ProjectApiError


class BadRequest(ProjectApiError, code="bad_request", status=400):
    """The request cannot be understood."""

    sentence = "The request could not be understood."


class MalformedJson(BadRequest, code="malformed_json"):
    """The body says that it is JSON and is not."""

    sentence = "The request's body is not valid JSON."


class InvalidPrecondition(BadRequest, code="invalid_precondition"):
    """``If-Match`` or ``If-None-Match`` is not a list of entity tags (RFC 9110, section 8.8.3)."""

    sentence = (
        'The headers If-Match and If-None-Match must be "*" or a list of quoted entity tags, as an earlier answer gave them.'
    )


class MetricsClosed(ProjectApiError, code="metrics_closed", status=401):
    """The request lacks the token with which the numbers of the server may be read."""

    sentence = (
        "The numbers of this server are for those who run it: send the token of its setting METRICS_TOKEN as a bearer token. "
        "In production nobody can read them while that setting is missing."
    )


class NotFound(ProjectApiError, code="not_found", status=404):
    """Nothing lives at this address."""

    sentence = "Not Found"


class MethodNotAllowed(ProjectApiError, code="method_not_allowed", status=405):
    """The address exists and does not know this method."""

    sentence = "Method Not Allowed"


class RequestTimedOut(ProjectApiError, code="request_timeout", status=408):
    """The client began a request and stopped sending, or sent too slowly; nothing was changed."""

    sentence = "The connection stopped in the middle of the request, so nothing was changed. Please try again."


class Conflict(ProjectApiError, code="conflict", status=409):
    """The request contradicts what is stored."""

    sentence = "This cannot be done in the state that things are in now."


class PreconditionFailed(ProjectApiError, code="precondition_failed", status=412):
    """Somebody else saved first: the version named in ``If-Match`` is no longer the current one."""

    sentence = (
        "Somebody else saved a newer version in the meantime (perhaps you, in another tab). Nothing was overwritten: load "
        "the current version, or save again without a precondition; both stay in the history."
    )


class BodyTooLarge(ProjectApiError, code="body_too_large", status=413):
    """The request's body is larger than this server takes."""

    sentence = "The request is too large for this server."


class UnsupportedMediaType(ProjectApiError, code="unsupported_media_type", status=415):
    """The body's media type is not one that this address takes."""

    sentence = "This address does not take a body of this media type."


class ValidationFailed(ProjectApiError, code="validation_failed", status=422):
    """Fields are missing, of the wrong type or out of bounds; ``detail`` lists each as ``{type, loc, msg}``."""

    sentence = "The request has fields that are missing or wrong."


class IdempotencyKeyReused(ValidationFailed, code="idempotency_key_reused"):
    """The `Idempotency-Key` was used within the last 24 hours for a different request."""

    sentence = "This Idempotency-Key belongs to another request. Send a new key with each new request."


class TooManyRequests(ProjectApiError, code="too_many_requests", status=429):
    """One client asks more often than ``RATE_LIMITS`` allows; ``Retry-After`` (seconds) says when it may again."""

    sentence = "Too many requests came from your network in a short time. Please wait a moment and try again."
    retry_after_seconds = 1


class NotOffered(ProjectApiError, code="not_offered", status=501):
    """The address belongs to a function that this backend has decided not to have."""

    sentence = "This backend has no accounts: your work is saved without signing in."
