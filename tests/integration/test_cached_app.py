"""The cache as clients meet it, over HTTP: what is fast, and what is seen at once."""

from __future__ import annotations

import gzip
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import brotli
import pytest
import zstandard
from flask import Flask
from flask.testing import FlaskClient
from pymongo import MongoClient
from pymongo.monitoring import CommandStartedEvent
from werkzeug.test import TestResponse

from config import Config
from projectapi import create_app
from projectapi.errors import ProjectNotFound
from projectapi.infra.redis_client import connect
from projectapi.project import ProjectKey, id_from_write, new_write_id
from tests.contract.calls import create_project, history, post_video, save
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_clip, make_state
from tests.errors_shape import assert_error
from tests.harness.commands import StartedCommands
from tests.harness.stores import at_once
from tests.media_samples import small_mp4_bytes, video_record

PATIENCE_SECONDS = 10.0
CLIENTS = 200
STAMPEDES = 5


class ProjectReads(StartedCommands):
    """Counts how often whole projects are read from the database."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        """Count a `find` of a project; whose it is may be looked up besides."""
        command = event.command
        if command.get("find") == "projects" and command.get("projection") != {"createdBy": True}:
            self.count += 1


@pytest.fixture
def make_worker(app: Flask, mongodb_uri: str, redis_url: str) -> Iterator[Callable[..., tuple[Flask, ProjectReads]]]:
    """Make further workers of the installation that `app` belongs to, whose reads of projects are counted."""
    made = []
    media_dir = app.config["PROJECTAPI"].media_dir

    def make(**settings: Any) -> tuple[Flask, ProjectReads]:
        reads = ProjectReads()
        config = Config(app_env="testing", mongodb_uri=mongodb_uri, redis_url=redis_url, media_dir=media_dir, **settings)
        client: MongoClient[dict[str, Any]] = MongoClient(
            mongodb_uri, event_listeners=[reads], w="majority", journal=True, tz_aware=True
        )
        worker = create_app(config, mongo_client=client, redis_client=connect(redis_url))
        made.append(worker)
        return worker, reads

    yield make
    for worker in made:
        worker.extensions["projectapi"].close()


@pytest.fixture
def uncached(app: Flask, mongodb_uri: str) -> Iterator[FlaskClient]:
    """A client of an application on the same database that has no cache, and so always tells the truth."""
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri, w="majority", journal=True, tz_aware=True)
    with client:
        yield create_app(app.config["PROJECTAPI"], mongo_client=client).test_client()


@pytest.fixture
def owner() -> dict[str, str]:
    """The header of a user that nobody else is."""
    return {"X-User-Id": f"user-{secrets.token_hex(6)}"}


@pytest.fixture
def project_id(client: FlaskClient, owner: dict[str, str]) -> str:
    """A project with the record of a video, and two saved versions."""
    project_id = create_project(client, "Holiday", **owner)
    client.application.extensions["projectapi"].projects.set_video(ProjectKey(project_id), video_record())
    save(client, project_id, make_state(), "first")
    save(client, project_id, make_state(*(make_clip(f"clip-{number}") for number in range(10))), "second")
    return project_id


def source_of(response: TestResponse) -> str:
    """Return where an answer says that it comes from."""
    source = response.headers["X-Cache"]
    assert re.fullmatch(rf"cache;desc={source}, total;dur=\d+\.\d\d", response.headers["Server-Timing"])
    return source


def read_until(client: FlaskClient, path: str, source: str, headers: dict[str, str] | None = None) -> list[str]:
    """Read until an answer comes from `source` and return where all of them came from; fail if that takes too long.

    Any single answer may come from the database: on a busy machine Redis, too, may take longer than it is waited for.
    """
    sources: list[str] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while source not in sources:
        response = client.get(path, headers=headers)
        assert response.status_code == 200
        sources.append(source_of(response))
        assert time.monotonic() < deadline, Counter(sources)
    return sources


def forget_everything(client: FlaskClient) -> None:
    """Empty the cache, which otherwise has what a write left."""
    client.application.extensions["projectapi"].cache.purge()


def reads_of(project_id: str) -> list[str]:
    """Return the addresses of everything that is cached of a project."""
    return [f"/projects/{project_id}", f"/timeline/{project_id}", f"/timeline/{project_id}/history", "/projects/"]


# Fast


@pytest.mark.parametrize("number", range(4))
def test_the_second_read_of_everything_is_a_hit(
    client: FlaskClient, project_id: str, owner: dict[str, str], number: int
) -> None:
    path = reads_of(project_id)[number]
    forget_everything(client)

    assert "MISS" in read_until(client, path, "HIT", owner)


def test_what_is_not_cached_says_so(client: FlaskClient, project_id: str) -> None:
    transcribe(client, project_id)
    paths = [f"/timeline/{project_id}/{rest}" for rest in ("current", "version/1", "history?limit=1", "diff?from=1&to=2")]
    paths += [f"/projects/{project_id}/debug", f"/transcriptions/{project_id}", "/projects?search=Holiday"]

    for path in paths:
        answer = client.get(path)
        assert (answer.status_code, source_of(answer)) == (200, "BYPASS"), path


def test_an_answer_that_nothing_is_there_says_where_that_is_known_from(client: FlaskClient, project_id: str) -> None:
    unknown = secrets.token_hex(12)
    for path in (f"/projects/{unknown}", f"/timeline/{unknown}", f"/timeline/{unknown}/history"):
        answers = [client.get(path), client.get(path), client.head(path)]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert [source_of(answer) for answer in answers] == ["MISS", "HIT", "HIT"], path
    for path in (f"/projects/{unknown}/debug", f"/timeline/{project_id}/version/77", f"/transcriptions/{project_id}"):
        answer = client.get(path)
        assert (answer.status_code, source_of(answer)) == (404, "BYPASS"), path


def test_what_was_refused_was_not_read(client: FlaskClient) -> None:
    for answer in (client.get("/projects?limit=none"), client.put(f"/projects/{secrets.token_hex(12)}", json={"name": "x"})):
        assert answer.status_code in (404, 422)
        assert "X-Cache" not in answer.headers


def test_whoever_has_the_current_version_is_told_so_without_a_body(client: FlaskClient, project_id: str) -> None:
    for path in reads_of(project_id)[:2]:
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.get_data()) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert source_of(again) in ("HIT", "BYPASS")

    save(client, project_id, make_state())
    for path in reads_of(project_id)[:2]:
        changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


@pytest.mark.parametrize("source", ["MISS", "HIT"])
@pytest.mark.parametrize("coding", UNPACK)
def test_a_body_comes_in_the_coding_that_the_client_accepts(
    client: FlaskClient, project_id: str, coding: str, source: str
) -> None:
    path = f"/projects/{project_id}"
    if source == "MISS":
        forget_everything(client)
    else:
        read_until(client, path, "HIT")
    packed = client.get(path, headers={"Accept-Encoding": coding})
    plain = client.get(path)

    assert packed.headers["Content-Encoding"] == coding
    assert UNPACK[coding](packed.get_data()) == plain.get_data()
    assert len(packed.get_data()) < len(plain.get_data())
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in packed.vary and "Accept-Encoding" in plain.vary
    assert packed.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("coding", UNPACK)
def test_the_tag_of_a_coded_body_is_good_for_conditional_requests(client: FlaskClient, project_id: str, coding: str) -> None:
    path, accept = f"/projects/{project_id}", {"Accept-Encoding": coding}
    tag = client.get(path, headers=accept).headers["ETag"]

    assert client.get(path, headers={**accept, "If-None-Match": tag}).status_code == 304
    assert client.put(path, json={"name": "Mine"}, headers={"If-Match": tag}).status_code == 200
    assert_error(client.put(path, json={"name": "Too late"}, headers={"If-Match": tag}), 412, "precondition_failed")


def test_two_hundred_clients_opening_a_cold_project_cost_one_read(
    client: FlaskClient, make_worker: Callable[..., tuple[Flask, ProjectReads]]
) -> None:
    workers = [make_worker() for _ in range(2)]
    clients = [workers[number % 2][0].test_client() for number in range(CLIENTS)]
    seen = []
    for _ in range(STAMPEDES):
        project_id = create_project(client)
        forget_everything(client)
        for worker, reads in workers:
            worker.extensions["projectapi"].cache.prepare()
            reads.count = 0

        answers = at_once([lambda one=one, x=project_id: one.get(f"/projects/{x}") for one in clients])

        assert {answer.get_data() for answer in answers} == {client.get(f"/projects/{project_id}").get_data()}
        seen.append((sum(reads.count for _, reads in workers), dict(Counter(source_of(answer) for answer in answers))))
        # A machine that is busy enough makes waiting for the one who reads take too long, or Redis seem to be away.
        if seen[-1] == (1, {"MISS": 1, "HIT": CLIENTS - 1}):
            return
    pytest.fail(f"reads of the database, and where answers came from: {seen}")


def transcribe(client: FlaskClient, project_id: str) -> None:
    """Give a project a transcript."""
    segment = {"start_time": 0, "end_time": 1, "text": "Hello", "words": [{"text": "Hello", "start": 0, "end": 1}]}
    assert_success(client.post("/transcriptions/", json={"project_id": project_id, "language": "en"}))
    assert_success(client.post(f"/transcriptions/{project_id}/segments", json=[segment]))


LEAVING_A_WHOLE: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "save": lambda client, x: client.post("/timeline/", json={"project_id": x, "timeline_state": make_state(zoom=3)}),
    "save the same again": lambda client, x: client.post(
        "/timeline/", json={"project_id": x, "timeline_state": assert_success(client.get(f"/timeline/{x}"))["timeline_state"]}
    ),
    "save unusual keys and numbers": lambda client, x: client.post(
        "/timeline/", json={"project_id": x, "timeline_state": make_state(**{"a.b": {"": 1.0, "n": 2**53}})}
    ),
    "patch the timeline": lambda client, x: client.patch(
        f"/timeline/{x}", json={"zoom": 5}, content_type="application/merge-patch+json"
    ),
    "restore the current version": lambda client, x: client.post(f"/timeline/{x}/restore/2"),
    "restore an earlier version": lambda client, x: client.post(f"/timeline/{x}/restore/1"),
    "rename": lambda client, x: client.put(f"/projects/{x}", json={"name": "Renamed"}),
    "patch": lambda client, x: client.patch(
        f"/projects/{x}", json={"name": "Patched"}, content_type="application/merge-patch+json"
    ),
}


@pytest.mark.parametrize("has_transcript", [False, True])
@pytest.mark.parametrize("write", LEAVING_A_WHOLE)
def test_what_a_write_leaves_is_in_the_cache_at_once_and_is_what_the_database_holds(
    client: FlaskClient, uncached: FlaskClient, project_id: str, write: str, has_transcript: bool
) -> None:
    if has_transcript:
        transcribe(client, project_id)

    assert_success(LEAVING_A_WHOLE[write](client, project_id))

    for path in reads_of(project_id)[:2]:
        opened, stored = client.get(path), uncached.get(path)
        assert source_of(opened) == "HIT"
        assert (opened.get_data(), opened.headers["ETag"]) == (stored.get_data(), stored.headers["ETag"])


def test_a_new_project_is_in_the_cache_at_once(client: FlaskClient, uncached: FlaskClient) -> None:
    path = f"/projects/{create_project(client)}"

    opened = client.get(path)

    assert source_of(opened) == "HIT"
    assert opened.get_data() == uncached.get(path).get_data()


# Never stale

WRITES: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "rename": lambda client, x: client.put(f"/projects/{x}", json={"name": "Renamed"}),
    "patch": lambda client, x: client.patch(
        f"/projects/{x}", json={"name": "Patched"}, content_type="application/merge-patch+json"
    ),
    "save": lambda client, x: client.post("/timeline/", json={"project_id": x, "timeline_state": make_state(zoom=3)}),
    "save as the oldest frontend": lambda client, x: client.post(
        "/timeline/save", json={"project_id": x, "timeline_state": make_state(zoom=3)}
    ),
    "patch the timeline": lambda client, x: client.patch(
        f"/timeline/{x}", json={"zoom": 5}, content_type="application/merge-patch+json"
    ),
    "restore a version": lambda client, x: client.post(f"/timeline/{x}/restore/1"),
    "describe a version": lambda client, x: client.put(
        f"/timeline/{history(client, x)[0]['_id']}", json={"description": "The best"}
    ),
    "save on a version": lambda client, x: client.put(
        f"/timeline/{history(client, x)[0]['_id']}", json={"timeline_state": make_state(zoom=7)}
    ),
    "delete a version": lambda client, x: client.delete(f"/timeline/{history(client, x)[1]['_id']}"),
    "clear the timeline": lambda client, x: client.delete(f"/timeline/{x}"),
    "upload": lambda client, x: post_video(client, x, small_mp4_bytes(), name="another.mp4"),
    "transcribe": lambda client, x: client.post("/transcriptions/", json={"project_id": x, "language": "en"}),
    "delete": lambda client, x: client.delete(f"/projects/{x}"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_seen_at_once_by_every_read(
    client: FlaskClient,
    uncached: FlaskClient,
    make_worker: Callable[..., tuple[Flask, ProjectReads]],
    project_id: str,
    owner: dict[str, str],
    write: str,
) -> None:
    # Given a second worker, and everything cached in both
    other = make_worker()[0].test_client()
    for path in reads_of(project_id):
        read_until(client, path, "HIT", owner)
        read_until(other, path, "HIT", owner)
    before = answers_to(client, project_id, owner)

    # When the first worker writes
    assert WRITES[write](client, project_id).status_code == 200

    # Then both show what the database holds, and it is something else
    truth = answers_to(uncached, project_id, owner)
    assert truth != before
    assert answers_to(client, project_id, owner) == answers_to(other, project_id, owner) == truth


def answers_to(client: FlaskClient, project_id: str, owner: dict[str, str]) -> list[tuple[int, Any]]:
    """Return what is read of a project, without the ids of the requests that errors carry."""
    answers = [client.get(path, headers=owner) for path in reads_of(project_id)]
    return [(answer.status_code, {**answer.get_json(), "requestId": None}) for answer in answers]


def test_a_restored_project_is_there_again_at_once(client: FlaskClient, project_id: str, owner: dict[str, str]) -> None:
    before = answers_to(client, project_id, owner)[1:3]
    client.delete(f"/projects/{project_id}")
    assert [client.get(path).status_code for path in reads_of(project_id)[:3]] == [404] * 3

    assert_success(client.post(f"/projects/{project_id}/restore"))

    assert answers_to(client, project_id, owner)[1:3] == before
    assert client.get(f"/projects/{project_id}").status_code == 200
    assert [found["_id"] for found in client.get("/projects", headers=owner).get_json()["data"]] == [project_id]


def test_a_project_that_is_not_there_is_looked_for_once_until_it_is_created(
    make_worker: Callable[..., tuple[Flask, ProjectReads]]
) -> None:
    # Given the id that a creation with this mark will give
    worker, reads = make_worker()
    client, mark = worker.test_client(), new_write_id()
    project_id = id_from_write(mark)

    # When it is asked for again and again
    for _ in range(5):
        assert_error(client.get(f"/projects/{project_id}"), 404, "project_not_found")

    # Then the database was asked once, and the project is there as soon as it is created
    assert reads.count == 1
    store = worker.extensions["projectapi"].projects
    created = store.create_project(name="At last", description=None, owner="anonymous", write_id=mark)
    assert created.id == project_id
    assert assert_success(client.get(f"/projects/{project_id}"))["name"] == "At last"


def test_everybody_has_a_list_of_their_own(client: FlaskClient) -> None:
    anna, ben = ({"X-User-Id": f"{name}-{secrets.token_hex(6)}"} for name in ("anna", "ben"))
    create_project(client, "Anna's", **anna)
    read_until(client, "/projects/", "HIT", anna)

    create_project(client, "Ben's", **ben)

    assert source_of(client.get("/projects/", headers=anna)) == "HIT"
    names = [[found["name"] for found in client.get("/projects/", headers=who).get_json()["data"]] for who in (anna, ben)]
    assert names == [["Anna's"], ["Ben's"]]


def test_with_ownership_enforced_no_cached_answer_reaches_anybody_else(
    make_worker: Callable[..., tuple[Flask, ProjectReads]], project_id: str, owner: dict[str, str]
) -> None:
    client, stranger = make_worker(ownership="enforced")[0].test_client(), {"X-User-Id": "a stranger"}
    for path in reads_of(project_id)[:3]:
        # Whoever asks first, both are answered as they should be
        assert_error(client.get(path, headers=stranger), 404, "project_not_found")
        read_until(client, path, "HIT", owner)
        tag = client.get(path, headers=owner).headers.get("ETag", '"1"')
        for condition in ({}, {"If-None-Match": tag}, {"If-None-Match": "*"}):
            assert_error(client.get(path, headers={**stranger, **condition}), 404, "project_not_found")
            assert_error(client.get(path, headers=condition), 404, "project_not_found")


def test_an_edit_by_hand_is_seen_after_a_purge(
    app: Flask, client: FlaskClient, mongodb_uri: str, project_id: str
) -> None:
    path, runner = f"/projects/{project_id}", app.test_cli_runner()
    read_until(client, path, "HIT")
    with MongoClient[dict[str, Any]](mongodb_uri) as mongodb:
        mongodb["projectapi"]["projects"].update_one({"projectId": project_id}, {"$set": {"name": "By hand"}})
    assert client.get(path).get_json()["data"]["name"] == "Holiday"
    epoch = re.search(r"epoch +(\d+)", runner.invoke(args=["cache", "status"]).output)

    purged = runner.invoke(args=["cache", "purge"])
    status = runner.invoke(args=["cache", "status"]).output

    assert purged.exit_code == 0, purged.output
    assert client.get(path).get_json()["data"]["name"] == "By hand"
    later = re.search(r"epoch +(\d+)", status)
    assert epoch and later and int(later[1]) > int(epoch[1])
    assert re.search(r"^mode +on$", status, re.M) and re.search(r"^circuit +closed$", status, re.M)


@pytest.mark.parametrize("write", ["create", "edit"])
def test_a_write_that_is_repeated_after_its_project_was_deleted_does_not_show_it_again(
    client: FlaskClient, write: str
) -> None:
    # Given a write that was done and whose answer got lost, and somebody who deleted the project since
    projects, mark = client.application.extensions["projectapi"].projects, new_write_id()
    key = ProjectKey(id_from_write(mark))

    def create() -> None:
        projects.create_project(name="Holiday", description=None, owner="anonymous", write_id=mark)

    def edit() -> None:
        projects.edit_project(key, lambda _: {"name": "Renamed"}, write_id="0123456789abcdef")

    create()
    edit()
    assert_success(client.delete(f"/projects/{key.id}"))

    # When it is repeated
    with suppress(ProjectNotFound):
        {"create": create, "edit": edit}[write]()

    # Then the project stays where it is
    for path in reads_of(key.id)[:2]:
        assert_error(client.get(path), 404, "project_not_found")
