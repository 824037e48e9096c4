"""What the examinations of `flask doctor` make of what they are told."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from config import Config
from projectapi.cli.doctor import diagnoses
from projectapi.cli.settings_examination import SettingsExamination
from projectapi.infra.server_trouble import database_trouble
from projectapi.media.disk_check import DiskCheck
from projectapi.media.examinations import Disk
from projectapi.protocols import Diagnosis, Verdict, fail, ok
from projectapi.stores.database_examinations import Clock, DatabaseAddress, Pool, Promises, Rights, allowed_actions, judged

READ_WRITE = {"find", "insert", "update", "remove", "createCollection", "createIndex"}


class Answering:
    """A client, or a database, of which every command has one answer."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer
        self.admin = self
        self.name = "projectapi"

    def command(self, *_: Any, **__: Any) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def shown(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.verdict.value} {diagnosis.found}. {diagnosis.advice}"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (None, "OK MONGODB_URI is not set"),
        ("mongodb+srv://ann:swordfish@c.example.net/", "OK mongodb+srv, with a user, TLS"),
        ("mongodb+srv://ann:swordfish@c.example.net/?tlsInsecure=true", "WARN mongodb+srv, with a user, TLS, certificates un"),
        ("mongodb+srv://c.example.net/", "WARN mongodb+srv, without a user, TLS. Give MongoDB users"),
        ("mongodb://ann:swordfish@db.example.net/", "FAIL mongodb, with a user, no TLS. Append tls=true"),
        ("mongodb://ann:swordfish@db.example.net,localhost/", "FAIL mongodb, with a user, no TLS"),
        ("mongodb://ann:swordfish@8.8.8.8/?tls=true", "OK mongodb, with a user, TLS"),
        ("mongodb://ann:swordfish@mongodb:27017/", "OK mongodb, with a user, no TLS"),
        ("mongodb://ann:swordfish@10.0.0.7,[::1]:27018/", "OK mongodb, with a user, no TLS"),
    ],
)
def test_the_way_to_mongodb_is_judged_and_not_shown(uri: str | None, says: str) -> None:
    found = shown(DatabaseAddress(uri, in_production=True).examine())

    assert found.startswith(says)
    assert not [secret for secret in ("swordfish", "ann", "example") if secret in found]


@pytest.mark.parametrize(
    ("options", "processes", "threads", "says"),
    [
        ("", 2, 8, "OK at most 44 from this host (2 processes x (20 + 2)); 11 such hosts fit"),
        ("?maxPoolSize=100", 5, 8, "WARN at most 510 from this host (5 processes x (100 + 2)); Atlas' free tier takes 500"),
        ("?maxPoolSize=4", 2, 8, "WARN at most 12 from this host (2 processes x (4 + 2)); 8 threads share 4"),
        ("?maxPoolSize=0", 2, 8, "WARN no limit per process"),
    ],
)
def test_connections_are_counted_against_the_free_tier(options: str, processes: int, threads: int, says: str) -> None:
    uri = f"mongodb://localhost/{options or '?maxPoolSize=20'}"
    with MongoClient[dict[str, Any]](uri, connect=False) as client:
        assert shown(Pool(client, processes=processes, threads=threads).examine()).startswith(says)


@pytest.mark.parametrize(
    ("options", "verdict"), [("w=majority&journal=true", Verdict.OK), ("w=1&journal=true", Verdict.WARN), ("", Verdict.WARN)]
)
def test_writes_that_are_acknowledged_too_early_are_a_warning(options: str, verdict: Verdict) -> None:
    with MongoClient[dict[str, Any]](f"mongodb://localhost/?{options}", connect=False) as client:
        assert Promises(client).examine().verdict is verdict


@pytest.mark.parametrize(
    ("actions", "roles", "says"),
    [
        (READ_WRITE, {"readWrite"}, "OK enough to run; not to change validators"),
        (READ_WRITE | {"collMod"}, {"readWrite", "dbAdmin"}, "OK enough to run and to set up"),
        (READ_WRITE | {"collMod"}, {"atlasAdmin"}, "WARN the user is atlasAdmin"),
        ({"find"}, {"read"}, "FAIL the user may not insert, remove, update"),
        (READ_WRITE - {"createIndex"}, {"own"}, "WARN the user may not createIndex: `flask db init` cannot"),
    ],
)
def test_rights_are_enough_or_it_is_said_which_are_missing(actions: set[str], roles: set[str], says: str) -> None:
    assert shown(judged(actions, roles)).startswith(says)


def test_only_rights_on_the_whole_database_count() -> None:
    privileges = [
        {"resource": {"db": "projectapi", "collection": ""}, "actions": ["find"]},
        {"resource": {"db": "", "collection": ""}, "actions": ["insert"]},
        {"resource": {"anyResource": True}, "actions": ["update"]},
        {"resource": {"db": "projectapi", "collection": "projects"}, "actions": ["remove"]},
        {"resource": {"db": "other", "collection": ""}, "actions": ["collMod"]},
        {"resource": {"cluster": True}, "actions": ["addShard"]},
    ]

    assert allowed_actions(privileges, "projectapi") == {"find", "insert", "update"}


def test_a_user_is_judged_by_what_the_server_tells() -> None:
    told = {
        "authenticatedUsers": [{"user": "ann", "db": "admin"}],
        "authenticatedUserRoles": [{"role": "read", "db": "projectapi"}],
        "authenticatedUserPrivileges": [{"resource": {"db": "projectapi", "collection": ""}, "actions": ["find"]}],
    }

    assert shown(Rights(Answering({"authInfo": told})).examine()).startswith("FAIL the user may not insert")  # type: ignore[arg-type]


def test_a_server_that_does_not_tell_rights_is_no_failure() -> None:
    refusal = OperationFailure("no such command: 'connectionStatus'", 59)

    assert Rights(Answering(refusal)).examine().verdict is Verdict.OK  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(0, r"OK [01]\.\d s"), (120, r"WARN 1(19|20)\.\d s behind MongoDB's"), (-3600, r"WARN 360[01]\.\d s ahead of MongoDB's")],
)
@pytest.mark.parametrize("zone", [UTC, None])
def test_a_clock_that_is_wrong_is_a_warning(ahead: int, says: str, zone: Any) -> None:
    theirs = (datetime.now(UTC) + timedelta(seconds=ahead)).replace(tzinfo=zone)

    assert re.match(says, shown(Clock(Answering({"localTime": theirs})).examine()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OperationFailure("bad auth : swordfish", 8000), "refuses the user or the password"),
        (OperationFailure("Authentication failed.", 18), "refuses the user or the password"),
        (OperationFailure("not authorized", 13), "does not allow this user to look"),
        (ConfigurationError("The DNS query name does not exist: c.example.net"), "has host names that cannot be looked up"),
        (ServerSelectionTimeoutError("SSL handshake failed: c.example.net: CERTIFICATE_VERIFY_FAILED"), "and this machine"),
        (ServerSelectionTimeoutError("c.example.net:27017: timed out"), "does not answer"),
    ],
)
def test_the_drivers_errors_become_advice_that_repeats_nothing(error: PyMongoError, says: str) -> None:
    found = " ".join(database_trouble(error))

    assert found.startswith(says)
    assert not [word for word in ("swordfish", "example") if word in found]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"app_env": "testing"}, "OK right, for testing"),
        ({}, "WARN right, but browsers may call from frontends on this machine only"),
        ({"cors_origins": ("https://editor.example.org",)}, "OK right, for production"),
        (
            {"cors_origins": ("https://editor.example.org",), "dyno": "web.1", "rate_limits": "9/second"},
            "WARN right, but all clients share one of RATE_LIMITS",
        ),
    ],
)
def test_right_settings_may_still_make_no_sense(settings: dict[str, Any], says: str) -> None:
    config = Config(**{"app_env": "production", "mongodb_uri": "mongodb://unused/", **settings})

    assert shown(SettingsExamination(config).examine()).startswith(says)


def test_a_disk_that_is_wiped_is_a_warning(tmp_path: Path) -> None:
    check = DiskCheck(tmp_path, wanted_bytes=1)

    assert Disk(check, vanishes=True).examine().verdict is Verdict.WARN
    assert Disk(check, vanishes=False).examine().verdict is Verdict.OK


def test_a_disk_without_room_for_a_video_is_a_warning(tmp_path: Path) -> None:
    assert "too little" in shown(Disk(DiskCheck(tmp_path, wanted_bytes=2**60), vanishes=False).examine())


class Examining:
    def __init__(self, name: str, examine: Callable[[], Diagnosis], needs: str = "") -> None:
        self.name = name
        self.needs = needs
        self.examine = examine


@pytest.mark.parametrize(("seconds_each", "seconds_all"), [(0.05, 10), (10, 0.05)])
def test_what_hangs_is_left_behind_and_all_together_has_an_end(seconds_each: float, seconds_all: float) -> None:
    # given
    released = threading.Event()

    def hang() -> Diagnosis:
        released.wait(20)
        return ok("at last")

    started = time.monotonic()
    # when
    examinations = [Examining(name, hang) for name in ("one", "two")]
    found = dict(diagnoses(examinations, seconds_each=seconds_each, seconds_all=seconds_all))
    # then
    assert time.monotonic() - started < 8
    assert {diagnosis.found for diagnosis in found.values()} == {"no answer in time"}
    released.set()


def test_what_needs_something_that_failed_is_not_tried() -> None:
    asked = []
    broken = Examining("server", lambda: fail("gone", "Start it."))
    behind = Examining("behind", lambda: asked.append(1) or ok("fine"), needs="server")  # type: ignore[func-returns-value]

    found = dict(diagnoses([broken, behind]))

    assert (asked, shown(found["behind"])) == ([], "WARN not looked at, as server failed. See to server first.")


def test_an_examination_that_breaks_says_so_without_the_exceptions_text() -> None:
    def broken() -> Diagnosis:
        raise ValueError("swordfish")

    [(_, found)] = diagnoses([Examining("mine", broken)])

    assert shown(found) == "FAIL the examination failed (ValueError). Report this as a defect of projectapi."
