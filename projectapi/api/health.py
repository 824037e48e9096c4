"""The addresses that say who this is and whether it is well."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from projectapi.api.context import backend
from projectapi.project import FRESH_START

blueprint = Blueprint("health", __name__)


@blueprint.get("/")
def describe() -> Response:
    """Say which API this is, where its documentation lies, and that storage is permanent now."""
    return jsonify({"message": "projectapi", "version": backend().version, "docs": "/docs", "notice": FRESH_START})


@blueprint.get("/health")
def check_alive() -> Response:
    """Say that this process answers."""
    return jsonify({"status": "healthy"})


@blueprint.route("/test", methods=["GET", "POST"])
def test_connection() -> Response:
    """Answer whoever wants to see whether the API can be reached."""
    return jsonify({"message": "projectapi can be reached"})
