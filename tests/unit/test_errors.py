"""The tree of errors is drawn for people, and the drawing is true."""

from __future__ import annotations

import re

import pytest

from projectapi import errors
from projectapi.errors import ProjectApiError


def family(kind: type[ProjectApiError], depth: int = 0) -> set[tuple[int, str, int, str]]:
    children = (family(child, depth + 1) for child in kind.__subclasses__())
    return {(depth, kind.__name__, kind.status, kind.code)}.union(*children)


def test_the_tree_of_errors_is_drawn_as_it_grew() -> None:
    lines = re.findall(r"^ {4}([│├└─ ]*)(\w+) +(\d{3})  (\w+)$", errors.__doc__ or "", re.MULTILINE)

    drawn = {(len(branch) // 4, name, int(status), code) for branch, name, status, code in lines}

    assert drawn == family(ProjectApiError)


def test_an_error_cannot_borrow_the_code_of_its_parent() -> None:
    with pytest.raises(TypeError, match="code"):
        type("Nameless", (errors.NotFound,), {})


def test_an_error_may_say_another_time_to_try_again_than_its_kind_does() -> None:
    usual, later = errors.MediaBusy(), errors.MediaBusy(headers={"Retry-After": "3600"})

    assert (usual.headers, later.headers) == ({"Retry-After": "5"}, {"Retry-After": "3600"})
