"""Answers of the addresses that say who this is and whether it is well."""

from __future__ import annotations

from projectapi.schemas.shapes.fields import Answer, text_field


class Description(Answer):
    """Who answers."""

    message = text_field("The name of the API.", "projectapi")
    version = text_field("Its version.", "1.0.0")
    docs = text_field("Where its documentation lies.", "/docs")
    notice = text_field("What users of the backend before should know.")


class Alive(Answer):
    """This process answers."""

    status = text_field("Always the same.", "healthy")


class Greeting(Answer):
    """The API can be reached."""

    message = text_field("For people.", "projectapi can be reached")
