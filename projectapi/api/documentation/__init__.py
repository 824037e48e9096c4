"""The OpenAPI document, made of what stands beside the handlers.

A handler says with `@documented(...)`, right above its `def`, what it takes and gives; its docstring says the rest (the first
line is the summary, what follows the description)::

    @blueprint.put("/<project_id>")
    @documented(
        answer=enveloped(ProjectAnswer),                   # or plain(Alive), file_of("video/mp4"), enveloped([ProjectAnswer])
        body=json_body_of(ProjectUpdate),                  # or form_of(MediaForm), file_form_of(MediaForm), patch_of(...)
        headers=("If-Match",),                             # names in headers.REQUEST_HEADERS
        errors=(ThumbnailNotFound,),                       # those that do not follow from the rest
    )
    def update_project(project_id: str) -> Response: ...

What every request has is added by itself: ids in the path with their 404, X-Request-Id, X-User-Id, Idempotency-Key on POST and
PATCH, refusals of bodies and headers, and the trouble that a database can have (`stores=False` where a handler uses none).
What does not fit goes into `more`, a piece of OpenAPI that is laid over the operation. Shapes are marshmallow schemas (those of
requests in `schemas.requests`, those of answers in `schemas.shapes`) or JSON Schemas; `about(...)` gives a field its
description, unit and example.

Tests compare routes with documents both ways and each handler's code with what it says (`tests/unit/api`), run every example,
and hold every answer of the contract's tests to its schema (`tests/contract`).
"""

from projectapi.api.documentation.handlers import (
    Documented,
    documented,
    enveloped,
    file_form_of,
    file_of,
    form_of,
    json_body_of,
    patch_of,
    plain,
)

__all__ = [
    "Documented",
    "documented",
    "enveloped",
    "file_form_of",
    "file_of",
    "form_of",
    "json_body_of",
    "patch_of",
    "plain",
]
