"""Setting the database up: as often as one likes, and with whatever rights one has."""

from __future__ import annotations

import secrets
from typing import Any

import pymongo
import pytest
from bson import Int64
from pymongo.errors import OperationFailure, WriteError

from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.stores.collections import PROJECTS, set_up


class RestrictedDatabase:
    """A database whose user may read and write, and nothing else: whatever else is asked for is refused with `code`."""

    def __init__(self, code: int) -> None:
        self._code = code

    def list_collection_names(self) -> list[str]:
        return [PROJECTS]

    def __getitem__(self, name: str) -> RestrictedDatabase:
        return self

    def _refuse(self, *_: object, **__: object) -> None:
        raise OperationFailure("user is not allowed to do action", self._code)

    command = create_collection = create_indexes = _refuse


@pytest.mark.parametrize("code", [13, 8000], ids=["MongoDB", "Atlas' shared tiers"])
def test_a_user_without_the_right_gets_a_report_and_no_crash(code: int) -> None:
    database: Any = RestrictedDatabase(code)

    report = set_up(database, mongodb_schema())

    assert [line for line in report if "projects" in line and "may not change validators" in line]
    assert [line for line in report if "projects" in line and "may not create indexes" in line]


@pytest.fixture
def database(mongodb_uri: str) -> Any:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongodb_uri)
    yield client[f"set_up_{secrets.token_hex(4)}"]
    client.close()


def test_it_may_be_run_again_and_again(database: Any) -> None:
    first = set_up(database, mongodb_schema())
    indexes = {name: sorted(database[name].index_information()) for name in database.list_collection_names()}

    second = set_up(database, mongodb_schema())

    assert any("created" in line for line in first) and not any("created" in line for line in second)
    assert {name: sorted(database[name].index_information()) for name in database.list_collection_names()} == indexes


@pytest.mark.parametrize(
    "wrong", [{}, {"projectId": 5}, {"projectId": "a", "version": "1"}, {"projectId": "a", "version": Int64(0)}], ids=str
)
def test_the_database_itself_refuses_what_is_no_project(database: Any, wrong: dict[str, Any]) -> None:
    set_up(database, mongodb_schema())

    with pytest.raises(WriteError) as refused:
        database[PROJECTS].insert_one(wrong)

    assert refused.value.code == 121
    assert database[PROJECTS].count_documents({}) == 0
