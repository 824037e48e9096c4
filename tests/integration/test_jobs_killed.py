"""Jobs under real servers, with real kills: whatever dies, a job ends, and what was made is found."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from projectapi.devstack.servers import REDIS
from tests.harness.installation import METRICS_TOKEN, Installation, is_below
from tests.harness.killable import KillableServer, running, set_up_database
from tests.harness.numbers import numbers_of
from tests.harness.whole_app import is_alive, wait_for
from tests.media_samples import ffmpeg, make_video, small_mp4_bytes

WORDS = ["hello"]


@pytest.fixture(scope="module")
def database(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database server that is set up."""
    set_up_database(mongodb_uri, "redis://127.0.0.1:1/0", tmp_path_factory.mktemp("media"))
    return mongodb_uri


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[KillableServer]:
    """A Redis server of the test's own."""
    server = KillableServer(REDIS, tmp_path / "servers")
    with running(server):
        yield server


@pytest.fixture
def installation(database: str, redis: KillableServer, tmp_path: Path) -> Iterator[Installation]:
    """An installation with Redis, and no worker process yet."""
    with Installation(tmp_path, mongodb_uri=database, redis_url=redis.uri) as installation:
        yield installation


@pytest.fixture
def without_redis(database: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation without Redis, with two web workers."""
    with Installation(tmp_path, mongodb_uri=database, web_workers=2) as installation:
        yield installation


def start_transcribing(installation: Installation) -> tuple[str, str, int]:
    """Have a new project listened to; return its id, the job's, and the process that listens."""
    project_id = installation.film(small_mp4_bytes())
    before = installation.listeners()
    job_id = installation.transcribe(project_id).data["_id"]
    (listener,) = wait_for(lambda: installation.listeners() - before, 30, "the recogniser to be called")
    installation.job_in_state(job_id, "running")
    return project_id, job_id, listener


def words_of(installation: Installation, project_id: str) -> list[str]:
    segments = installation.call("GET", f"/transcriptions/{project_id}").data["segments"]
    return [word["text"] for segment in segments for word in segment["words"]]


def test_without_a_worker_process_the_web_process_does_the_work(installation: Installation) -> None:
    project_id, job_id, listener = start_transcribing(installation)

    assert listener in installation.web.workers()
    installation.let_go()
    assert installation.job_in_state(job_id, "finished")["progress"] == 100
    assert words_of(installation, project_id) == WORDS


def test_a_worker_process_does_the_work_and_when_its_child_is_killed_it_is_begun_again(installation: Installation) -> None:
    worker = installation.start_worker()
    project_id, job_id, child = _carried_by(installation, worker.pid)
    first = installation.job_in_state(job_id, "running")["started_at"]

    os.kill(child, signal.SIGKILL)
    wait_for(lambda: _is_begun_after(installation, job_id, first), 60, "the work to be done again")
    installation.let_go()

    assert installation.job_in_state(job_id, "finished")["error"] is None
    assert words_of(installation, project_id) == WORDS
    assert is_alive(worker.pid)


def test_the_web_process_tells_the_metrics_of_jobs_that_a_worker_process_does(installation: Installation) -> None:
    def jobs(state: str) -> float:
        return numbers_of(installation.web.port, METRICS_TOKEN).total("projectapi_jobs", kind="transcribe", state=state)

    finished, worker = jobs("finished"), installation.start_worker()
    _, job_id, _ = _carried_by(installation, worker.pid)

    wait_for(lambda: jobs("running") > 0, 30, "the running job on the page")
    installation.let_go()
    installation.job_in_state(job_id, "finished")

    wait_for(lambda: jobs("finished") > finished, 30, "the finished job on the page")


def test_when_the_worker_process_and_its_child_are_killed_the_web_process_takes_over(installation: Installation) -> None:
    worker = installation.start_worker()
    project_id, job_id, child = _carried_by(installation, worker.pid)
    first = installation.job_in_state(job_id, "running")["started_at"]

    for pid in (worker.pid, child):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _is_begun_after(installation, job_id, first), 60, "the web process to take over")
    assert installation.listeners() & set(installation.web.workers())
    installation.let_go()

    installation.job_in_state(job_id, "finished")
    assert words_of(installation, project_id) == WORDS


def test_when_redis_forgets_everything_and_then_dies_jobs_are_still_known_and_done(
    installation: Installation, redis: KillableServer
) -> None:
    installation.start_worker()
    project_id, job_id, _ = start_transcribing(installation)

    with Redis.from_url(redis.uri) as client:
        client.flushall()
    assert installation.call("GET", f"/jobs/{job_id}").data["state"] == "running"
    redis.kill()
    waiting = installation.transcribe(installation.film(small_mp4_bytes())).data["_id"]
    installation.let_go()

    for known in (job_id, waiting):
        assert installation.job_in_state(known, "finished")["error"] is None
    assert words_of(installation, project_id) == WORDS


def test_a_web_worker_that_is_killed_in_mid_job_is_followed_by_another_and_then_the_job_is_given_up(
    without_redis: Installation,
) -> None:
    project_id, job_id, first = start_transcribing(without_redis)

    os.kill(first, signal.SIGKILL)
    second = wait_for(
        lambda: _nudge(without_redis, job_id) and without_redis.listeners() - {first}, 60, "another process to listen"
    )
    os.kill(second.pop(), signal.SIGKILL)

    given_up = without_redis.job_in_state(job_id, "failed")
    assert given_up["error"]["code"] == "job_interrupted" and given_up["finished_at"]
    # Nobody heard of it but who asked; asking again does it.
    without_redis.let_go()
    again = without_redis.transcribe(project_id).data["_id"]
    without_redis.job_in_state(again, "finished")
    assert words_of(without_redis, project_id) == WORDS


def test_without_redis_every_web_worker_knows_every_job(without_redis: Installation) -> None:
    _, job_id, _ = start_transcribing(without_redis)

    # A new connection each: with two workers, sixteen all at one of them is a chance of one in 30,000.
    states = {without_redis.call("GET", f"/jobs/{job_id}").data["state"] for _ in range(16)}

    assert states == {"running"}
    without_redis.let_go()
    without_redis.job_in_state(job_id, "finished")


@pytest.mark.parametrize("carried", ["by a thread", "by a worker process"])
def test_cancelling_kills_the_running_ffmpeg_and_leaves_nothing(
    installation: Installation, tmp_path: Path, carried: str
) -> None:
    if carried == "by a worker process":
        worker = installation.start_worker()
        wait_for(lambda: _carried_by(installation, worker.pid), 60, "the worker to listen")
        installation.let_go()
    project_id = installation.film(long_video(tmp_path))
    body = {"project_id": project_id, "segments": [{"startTime": 0.5, "duration": 29.0}]}
    job_id = installation.call("POST", "/media/trim-video", body, prefer="respond-async").data["_id"]
    victims = wait_for(lambda: _ffmpegs(installation.media_dir), 30, "ffmpeg to run")

    cancelled = installation.call("DELETE", f"/jobs/{job_id}")

    assert cancelled.data["state"] == "cancelled"
    wait_for(lambda: not any(map(is_alive, victims)), 20, "ffmpeg to be killed")
    wait_for(lambda: not list((installation.media_dir / "work").iterdir()), 10, "its folder to be gone")
    assert not list((installation.media_dir / "trimmed").glob("*"))
    assert installation.call("GET", f"/jobs/{job_id}").data["state"] == "cancelled"


def test_no_more_ffmpegs_run_on_a_machine_than_it_may_however_many_processes_are_asked(
    without_redis: Installation, tmp_path: Path
) -> None:
    project_id = without_redis.film(long_video(tmp_path))
    jobs = [
        without_redis.call(
            "POST",
            "/media/trim-video",
            {"project_id": project_id, "segments": [{"startTime": 0.5 + number, "duration": 4}]},
            prefer="respond-async",
        ).data["_id"]
        for number in (*range(6), *range(6))
    ]
    assert len(set(jobs)) == 6

    running = []
    while any(without_redis.call("GET", f"/jobs/{job}").data["state"] in ("queued", "running") for job in set(jobs)):
        running.append(len(_ffmpegs(without_redis.media_dir)))

    assert {without_redis.call("GET", f"/jobs/{job}").data["state"] for job in set(jobs)} == {"finished"}
    assert 1 <= max(running) <= 2
    assert len(list((without_redis.media_dir / "trimmed").iterdir())) == 6


def long_video(folder: Path) -> bytes:
    """Return half a minute of video that takes seconds to cut, made quickly."""
    short, long = make_video(folder / "short.mp4", seconds=2.0, size="1280x720"), folder / "long.mp4"
    ffmpeg("-stream_loop", "14", "-i", str(short), "-c", "copy", str(long))
    return long.read_bytes()


def _is_begun_after(installation: Installation, job_id: str, first: str) -> bool:
    """Ask after a job, which finds out that it was lost; tell whether somebody works on it again."""
    job = installation.call("GET", f"/jobs/{job_id}").data
    return bool(job["state"] == "running" and job["started_at"] > first)


def _nudge(installation: Installation, job_id: str) -> bool:
    """Ask after a job: who asks finds out that it was lost."""
    return bool(installation.call("GET", f"/jobs/{job_id}").data)


def _carried_by(installation: Installation, worker_pid: int) -> tuple[str, str, int]:
    """Start transcribing once the worker process listens to its queue; return what `start_transcribing` does."""
    for _ in range(20):
        started = start_transcribing(installation)
        if is_below(started[2], worker_pid):
            return started
        # The worker was not ready yet, and a thread took this one.
        installation.call("DELETE", f"/jobs/{started[1]}")
    raise AssertionError("the worker process never took a job")


def _ffmpegs(media_dir: Path) -> list[int]:
    """Return the processes that work in the scratch folders."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where, program = os.readlink(entry / "cwd"), os.readlink(entry / "exe")
        except OSError:
            continue
        if where.startswith(str(media_dir / "work")) and "ffmpeg" in program:
            found.append(int(entry.name))
    return found
