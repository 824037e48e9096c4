"""Workers are killed in the middle of uploads, at every step of them: the old video or the new one plays, never a half.

FAULT_ROUNDS (default 20) is how many points of each way of uploading a worker is killed at, spread over all its steps.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.caller import CallFailed
from tests.harness.uploading_world import BYTES, TUS, UploadingWorld, plan_headers, uploading_world
from tests.harness.whole_app import Reply, upload_form
from tests.media_samples import padded_mp4_bytes

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "20"))
NEVER = 1_000_000
OLD, NEW = 700_000, 900_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UploadingWorld]:
    with uploading_world(tmp_path_factory.mktemp("world"), app="tests.harness.dying_uploads:app") as world:
        yield world


def put(world: UploadingWorld, project_id: str, video: bytes, die_at: int) -> Reply:
    headers = {"Content-Type": "video/mp4", "X-Die-At": str(die_at)}
    return world.request("PUT", f"/media/{project_id}/video", video, headers)


def post_form(world: UploadingWorld, project_id: str, video: bytes, die_at: int) -> Reply:
    body, headers = upload_form(project_id, video)
    return world.request("POST", "/media/upload", body, {**headers, "X-Die-At": str(die_at)})


def old_and_new(number: int) -> tuple[bytes, bytes]:
    return padded_mp4_bytes(OLD + number), padded_mp4_bytes(NEW + number)


def points(steps: int) -> list[int]:
    """Return the steps before which a worker dies: the first, the last, and others evenly between."""
    count = min(ROUNDS, steps)
    return sorted({1 + round(index * (steps - 1) / max(1, count - 1)) for index in range(count)})


def dies(way: Callable[..., Reply], world: UploadingWorld, project_id: str, video: bytes, point: int) -> bool:
    """Upload, and tell whether the worker died of it: with other portions from the socket there may be a step less."""
    try:
        reply = way(world, project_id, video, point)
    except CallFailed:
        return True
    assert reply.status == 200 and int(reply.headers["X-Steps"]) < point, reply.body
    return False


@pytest.mark.parametrize("way", [put, post_form], ids=["body", "form"])
def test_an_upload_that_is_killed_anywhere_leaves_the_old_video_or_the_new_one(
    world: UploadingWorld, way: Callable[[UploadingWorld, str, bytes, int], Reply]
) -> None:
    project_id = world.new_project()
    first, second = old_and_new(0)
    way(world, project_id, first, NEVER)
    steps = int(way(world, project_id, second, NEVER).headers["X-Steps"])
    assert steps >= 20
    outcomes = {"old": 0, "new": 0}
    for number, point in enumerate(points(steps), 1):
        # Given a project with a video
        old, new = old_and_new(number)
        assert world.persist("PUT", f"/media/{project_id}/video", old, {"Content-Type": "video/mp4"}).status == 200

        # When the worker that takes another one is killed
        is_killed = dies(way, world, project_id, new, point)

        # Then one of both plays, whole, as the record says, and nothing else stays
        found = world.video(project_id)
        assert found in (old, new), f"killed at step {point} of {steps}"
        assert world.record(project_id)["sha256"] == hashlib.sha256(found).hexdigest()
        assert found == new or is_killed
        outcomes["new" if found == new else "old"] += is_killed
        left, named = world.files_after_a_sweep(project_id)
        assert left == named
    assert sum(outcomes.values()) >= len(points(steps)) * 9 // 10, "nearly every point was met"
    print(f"\nkilled uploads ({way.__name__}), {steps} steps, {len(points(steps))} points: {outcomes}")


def test_a_resumable_upload_that_is_killed_anywhere_goes_on_and_arrives(world: UploadingWorld) -> None:
    project_id = world.new_project()
    world.persist("PUT", f"/media/{project_id}/video", padded_mp4_bytes(OLD), {"Content-Type": "video/mp4"})
    steps, number = 20, 0
    kills = 0
    while number < len(points(steps)):
        point, new = points(steps)[number], padded_mp4_bytes(NEW + number)
        address = world.persist("POST", "/media/uploads", None, plan_headers(project_id, len(new))).headers["Location"]
        world.persist("PATCH", address, new[:100_000], {**TUS, **BYTES, "Upload-Offset": "0"})

        # When the worker that takes the rest is killed
        rest = {**TUS, **BYTES, "Upload-Offset": "100000", "X-Die-At": str(NEVER if number == 0 else point)}
        try:
            steps = int(world.request("PATCH", address, new[100_000:], rest).headers["X-Steps"])
        except CallFailed:
            kills += 1

        # Then what was acknowledged is there, the client goes on from what the server has, and the video arrives
        offset = int(world.persist("HEAD", address, None, TUS).headers["Upload-Offset"])
        assert 100_000 <= offset <= len(new)
        if offset < len(new):
            more = {**TUS, **BYTES, "Upload-Offset": str(offset)}
            assert world.persist("PATCH", address, new[offset:], more).status == 204
        assert world.video(project_id) == new, f"killed at step {point} of {steps}"
        left, named = world.files_after_a_sweep(project_id)
        assert left == named
        number += 1
    assert kills >= (len(points(steps)) - 1) * 9 // 10, "nearly every point was met"
    print(f"\nkilled resumable uploads: {steps} steps, {kills} kills, all arrived")


def test_two_uploads_to_one_project_at_once_leave_one_of_them_whole(world: UploadingWorld) -> None:
    project_id = world.new_project()
    for number in range(min(ROUNDS, 5)):
        both = old_and_new(100 + number)

        with ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(lambda video: put(world, project_id, video, 0), both))

        assert [reply.status for reply in replies] == [200, 200]
        found = world.video(project_id)
        assert found in both
        record = world.record(project_id)
        assert record["sha256"] == hashlib.sha256(found).hexdigest()
        assert record["path"] in {json.loads(reply.body)["data"]["file_path"] for reply in replies}
        left, named = world.files_after_a_sweep(project_id)
        assert left == named
