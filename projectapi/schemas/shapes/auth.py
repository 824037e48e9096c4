"""Answers of /auth."""

from __future__ import annotations

from projectapi.schemas.shapes.fields import Answer, moment_field, text_field


class AnonymousUser(Answer):
    """The one user of a backend without accounts."""

    _id = text_field("Always the same.", "anonymous")
    id = text_field("The same as `_id`.", "anonymous")
    name = text_field("For people.", "Anonymous")
    email = text_field("Always null.", None, allow_none=True)
    created_at = moment_field("The beginning of 1970.")
    updated_at = moment_field("The beginning of 1970.")


class Tokens(Answer):
    """The token that was sent, again."""

    access_token = text_field("As it was sent, or “anonymous”.", "anonymous")
    refresh_token = text_field("The same.", "anonymous")
    token_type = text_field("Always the same.", "bearer")
