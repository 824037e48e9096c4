"""The resource /auth of a backend without accounts.

The newest frontend cannot be used signed out: it asks who is signed in and believes any 200. So there is one anonymous user,
whatever token comes along, and no password is ever read.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from projectapi.api.bodies import read_body
from projectapi.api.documentation import documented, enveloped
from projectapi.api.envelope import success
from projectapi.errors import NotOffered, ProjectApiError
from projectapi.project import ANONYMOUS
from projectapi.schemas.json_body import parse_json
from projectapi.schemas.shapes.auth import AnonymousUser, Tokens

blueprint = Blueprint("auth", __name__, url_prefix="/auth")

_EPOCH = "1970-01-01T00:00:00.000Z"
_TOKEN_MAX = 4096
_OPTIONAL_TOKEN = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": {"type": "object", "properties": {"refresh_token": {"examples": ["anonymous"]}}}}
        },
    }
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@blueprint.get("/me")
@documented(answer=enveloped(AnonymousUser), stores=False)
def get_me() -> Response:
    """Return the one anonymous user."""
    user = {
        "_id": ANONYMOUS,
        "id": ANONYMOUS,
        "name": "Anonymous",
        "email": None,
        "created_at": _EPOCH,
        "updated_at": _EPOCH,
    }
    return success(user, "This backend has no accounts; everybody is the anonymous user.")


@blueprint.post("/refresh")
@documented(answer=enveloped(Tokens), stores=False, more=_OPTIONAL_TOKEN)
def refresh_token() -> Response:
    """Hand back the token that was sent, so that a frontend which believes in tokens stays signed in."""
    token = _sent_token() or ANONYMOUS
    return success({"access_token": token, "refresh_token": token, "token_type": "bearer"}, "Token refreshed")


@blueprint.post("/logout")
@documented(answer=enveloped(None), stores=False)
def log_out() -> Response:
    """Agree to signing out, which changes nothing here."""
    return success(None, "Logged out")


@blueprint.route("/", defaults={"path": ""}, methods=_METHODS)
@blueprint.route("/<path:path>", methods=_METHODS)
@documented(answer=None, stores=False, errors=(NotOffered,))
def refuse(path: str) -> Response:
    """Say for every other address that there are no accounts; the body, which may hold a password, is not read."""
    raise NotOffered


def _sent_token() -> str | None:
    try:
        body = parse_json(read_body()) if request.is_json else None
    except ProjectApiError:
        body = None
    token = body.get("refresh_token") if isinstance(body, dict) else None
    if not isinstance(token, str):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return token if token and len(token) <= _TOKEN_MAX else None
