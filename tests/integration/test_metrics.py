"""The numbers of two workers, as Prometheus sees them: they add up with what was sent, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from projectapi.devstack.servers import MONGODB, REDIS
from tests.harness.caller import Caller, CallFailed
from tests.harness.killable import GunicornApp, KillableServer, running, set_up_database
from tests.harness.numbers import Numbers, Sample, numbers_of
from tests.harness.stores import state
from tests.harness.whole_app import upload_form, wait_for
from tests.media_samples import small_mp4_bytes

WORKERS = 2
CLIENTS = 4
SAVES = 6
READS = 40
DATABASE_CIRCUIT = "projectapi_database_circuit_open"


@dataclass
class Installation:
    """Two workers and the servers that they work with."""

    app: GunicornApp
    mongodb: KillableServer
    redis: KillableServer

    def numbers(self) -> Numbers:
        """Read the page, from whichever worker answers."""
        return numbers_of(self.app.port)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("metrics")
    mongodb, redis = KillableServer(MONGODB, folder / "mongodb"), KillableServer(REDIS, folder / "redis")
    with running(mongodb), running(redis):
        set_up_database(mongodb.uri, redis.uri, folder / "media")
        # So short that what is refused is refused soon.
        uris = {"mongodb_uri": mongodb.uri, "redis_url": redis.uri}
        app = GunicornApp(folder / "app", **uris, workers=WORKERS, DATABASE_DEADLINE_SECONDS="2")
        with running(app):
            yield Installation(app, mongodb, redis)


def work(port: int, owner: str) -> Counter[Sample]:
    """Work as an editor does and return what was sent, by method, route and the status that came back."""
    sent: Counter[Sample] = Counter()

    with Caller([port], owner) as caller:

        def call(method: str, path: str, route: str, body: object = None) -> object:
            reply = caller.call(method, path, body)
            labels = {"method": method, "route": route, "status": str(reply.status)}
            sent["projectapi_requests_total", frozenset(labels.items())] += 1
            return reply.data if reply.status == 200 else None

        project = call("POST", "/projects", "/projects", {"name": "Holiday"})
        assert isinstance(project, dict)
        path = project["_id"]
        for number in range(SAVES):
            body = {"project_id": path, "timeline_state": state(number)}
            call("POST", "/timeline/", "/timeline/", body)
        for _ in range(READS):
            call("GET", f"/projects/{path}", "/projects/<project_id>")
            call("GET", f"/timeline/{path}/history", "/timeline/<project_id>/history")
        call("GET", f"/projects/{'0' * 24}", "/projects/<project_id>")
        call("GET", f"/nothing/{path}", "(none)")
    return sent


def test_the_counters_of_two_workers_add_up_with_what_was_sent(installation: Installation) -> None:
    before = installation.numbers()

    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(work, installation.app.port, f"owner-{number}") for number in range(CLIENTS)]
        sent = sum((job.result(120) for job in jobs), Counter())

    now = installation.numbers()
    counted = {sample: now[sample] - before.get(sample, 0) for sample in sent}
    assert counted == dict(sent)
    assert now.gain(before, "projectapi_request_seconds_count") >= sent.total()
    assert now.gain(before, "projectapi_saves_total", outcome="saved") == CLIENTS * SAVES
    assert now.gain(before, "projectapi_revision_bytes_count") >= CLIENTS * SAVES
    # Each read of a project or a history, also of the one that is not there, asked the cache.
    reads = [now.gain(before, "projectapi_cache_reads_total", kind=kind) for kind in ("project", "history")]
    assert reads == [CLIENTS * (READS + 1), CLIENTS * READS]
    assert now.gain(before, "projectapi_database_command_seconds_count", command="update") >= CLIENTS * SAVES
    assert now.total("projectapi_database_pool_max") == WORKERS * 20
    assert now.total("projectapi_database_pool_in_use") == 0
    assert now.total("projectapi_media_free_bytes") > 0
    assert now.total("projectapi_database_limit_bytes") == 512 * 2**20


def test_no_label_holds_what_somebody_made_up(installation: Installation) -> None:
    sent = work(installation.app.port, "owner-of-labels")
    with Caller([installation.app.port], "odd") as caller:
        caller.call("BREW", "/projects")

    labels = {label for _, has in installation.numbers() for label in has}

    assert sent
    assert ("method", "other") in labels
    assert not [value for name, value in labels if len(value) >= 24 and name not in ("le", "route", "cause", "code")]
    assert not [value for name, value in labels if name == "route" and "0000" in value]


def test_a_killed_worker_takes_no_count_with_it(installation: Installation) -> None:
    work(installation.app.port, "owner-before")
    before = installation.numbers()
    workers = installation.app.workers()

    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(installation.app.workers()) - set(workers)) == WORKERS, 60, "new workers")
    wait_for(lambda: is_serving(installation), 60, "the application to serve")

    now = installation.numbers()
    fell = [sample for sample, value in before.items() if sample[0].endswith("_total") and now.get(sample, 0) < value]
    assert fell == []
    assert now.total("projectapi_database_pool_max") <= WORKERS * 20
    # What was true of the dead only is gone with them.
    connections = "projectapi_database_pool_connections"
    assert now.total(connections) <= before.total(connections)
    assert now.gain(before, "projectapi_requests_total") > 0


def test_a_reload_keeps_the_counts(installation: Installation) -> None:
    work(installation.app.port, "owner-before-reload")
    before, workers = installation.numbers(), installation.app.workers()

    installation.app.reload()
    wait_for(lambda: len(now := set(installation.app.workers())) == WORKERS and not now & set(workers), 60, "other workers")
    wait_for(lambda: is_serving(installation), 60, "the application to serve")
    work(installation.app.port, "owner-after-reload")

    now = installation.numbers()
    assert now.gain(before, "projectapi_saves_total", outcome="saved") == SAVES


def is_serving(installation: Installation) -> bool:
    try:
        return bool(installation.numbers())
    except CallFailed:
        return False


def test_an_upload_is_counted_with_its_bytes(installation: Installation) -> None:
    video = small_mp4_bytes()
    before = installation.numbers()
    with Caller([installation.app.port], "uploader") as caller:
        project_id = caller.call("POST", "/projects", {"name": "Film"}).data["_id"]
    status = upload(installation.app.port, project_id, video)
    refused = upload(installation.app.port, project_id, b"this is no video")

    now = installation.numbers()

    assert (status, refused) == (200, 400)
    assert now.gain(before, "projectapi_uploads_total", outcome="stored") == 1
    assert now.gain(before, "projectapi_uploads_total", outcome="refused") == 1
    assert now.gain(before, "projectapi_uploaded_bytes_total") == len(video) + len(b"this is no video")
    assert now.total("projectapi_uploads_active") == 0


def test_a_killed_redis_shows_in_the_numbers_and_so_does_its_return(installation: Installation) -> None:
    port = installation.app.port
    work(port, "owner-without-redis")
    before = installation.numbers()

    # When Redis is gone
    installation.redis.kill()
    wait_for(lambda: busy(port) and installation.numbers().total("projectapi_cache_circuit_open") > 0, 30, "an open circuit")

    # Then somebody spares it, and reads pass it by
    now = installation.numbers()
    assert now.gain(before, "projectapi_cache_circuit_openings_total") > 0
    assert now.gain(before, "projectapi_cache_reads_total", outcome="BYPASS") > 0

    # And when it is back, under a new epoch, it is used again
    installation.redis.start()
    wait_for(lambda: busy(port) == 200 and has_recovered(installation, before), 60, "recovery under a new epoch")


def test_a_killed_mongodb_shows_in_the_numbers(installation: Installation) -> None:
    port = installation.app.port
    work(port, "owner-without-mongodb")
    before = installation.numbers()

    # When MongoDB is gone with commands on their way
    installation.mongodb.freeze()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(create, port)
        wait_for(lambda: installation.numbers().total("projectapi_database_pool_in_use") > 0, 30, "a command on its way")
        installation.mongodb.kill()
        status = asked.result()

    # Then the commands, the operations and the requests that failed are counted
    now = installation.numbers()
    assert status == 503
    assert now.gain(before, "projectapi_database_command_failures_total") > 0
    assert now.gain(before, "projectapi_database_troubled_operations_total", outcome="failed") > 0
    assert now.gain(before, "projectapi_requests_total", status="503") > 0

    # And while it stays away, all that is refused, and that every worker misses it
    wait_for(lambda: create(port) == 503 and refused(installation) > refused_by(before), 60, "refused operations")
    wait_for(lambda: installation.numbers().total(DATABASE_CIRCUIT) == WORKERS, 60, "every worker to miss MongoDB")
    installation.mongodb.start()
    wait_for(lambda: create(port) == 200, 60, "recovery")


def test_mongodb_is_missed_also_while_nobody_asks_for_anything(installation: Installation) -> None:
    wait_for(lambda: installation.numbers().total(DATABASE_CIRCUIT) == 0, 30, "nothing to be missed")

    installation.mongodb.kill()
    wait_for(lambda: installation.numbers().total(DATABASE_CIRCUIT) == WORKERS, 60, "every worker to miss MongoDB")
    installation.mongodb.start()

    wait_for(lambda: installation.numbers().total(DATABASE_CIRCUIT) == 0, 60, "every worker to hear it again")


def test_readers_of_what_is_cached_do_not_hide_that_mongodb_is_away(installation: Installation) -> None:
    port = installation.app.port
    with Caller([port], "reader") as caller:
        path = f"/projects/{caller.call('POST', '/projects', {'name': 'Kept'}).data['_id']}"
        wait_for(lambda: caller.call("GET", path).headers["X-Cache"] == "HIT", 30, "the project to be cached")
        before = refused(installation)

        installation.mongodb.kill()
        wait_for(lambda: caller.call("GET", path).status == 200 and refused(installation) > before, 60, "refused operations")
        stale = caller.call("GET", path)
        wait_for(lambda: installation.numbers().total(DATABASE_CIRCUIT) == WORKERS, 60, "every worker to miss MongoDB")
        installation.mongodb.start()
        wait_for(lambda: caller.call("GET", path).headers["X-Cache"] == "HIT", 60, "the cache to be trusted again")

    assert (stale.status, stale.headers["X-Cache"]) == (200, "STALE")


def refused(installation: Installation) -> float:
    return refused_by(installation.numbers())


def refused_by(numbers: Numbers) -> float:
    return numbers.total("projectapi_database_troubled_operations_total", outcome="refused")


def has_recovered(installation: Installation, before: Numbers) -> bool:
    now = installation.numbers()
    return now.gain(before, "projectapi_cache_epoch") > 0 and now.total("projectapi_cache_circuit_open") == 0


def busy(port: int) -> int:
    """Read a list, as both workers meet it in turn, and return the highest status."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = pool.map(lambda number: status_of(port, f"owner-{number}"), range(CLIENTS))
    return max(statuses)


def status_of(port: int, owner: str) -> int:
    with Caller([port], owner) as caller:
        return caller.call("GET", "/projects/").status


def create(port: int) -> int:
    with Caller([port], "creator") as caller:
        return caller.call("POST", "/projects", {"name": "Film"}).status


def upload(port: int, project_id: str, video: bytes) -> int:
    """Upload a file as a browser's form does and return the status."""
    body, headers = upload_form(project_id, video)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/media/upload", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)
