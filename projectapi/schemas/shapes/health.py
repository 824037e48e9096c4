"""Answers of the addresses that say who this is and whether it is well."""

from __future__ import annotations

from marshmallow import Schema

from projectapi.schemas.shapes.fields import text_field


class Description(Schema):
    """Who answers."""

    message = text_field("The name of the API.", "projectapi")
    version = text_field("Its version.", "1.0.0")
    docs = text_field("Where its documentation lies.", "/docs")
    notice = text_field("What users of the backend before should know.")


class Alive(Schema):
    """This process answers."""

    status = text_field("Always the same.", "healthy")


class Greeting(Schema):
    """The API can be reached."""

    message = text_field("For people.", "projectapi can be reached")
