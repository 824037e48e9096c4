"""Applications with a database of their own each, the projects in them, and every answer that shows what they hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from flask import Flask
from flask.testing import FlaskClient
from pymongo import MongoClient

from config import Config
from projectapi import create_app
from tests.contract.calls import create_project, save, upload
from tests.contract.timelines import make_clip, make_state
from tests.media_samples import small_mp4_bytes

OWNERS = ("ann", "bob", "anonymous")


@contextmanager
def running_app(mongodb_uri: str, database: str, folder: Path, **settings: Any) -> Iterator[Flask]:
    """Make an application over a database that is dropped afterwards."""
    config = Config(
        app_env="testing",
        mongodb_uri=mongodb_uri,
        mongodb_database=database,
        media_dir=folder / "media",
        backup_dir=folder / "backups",
        log_level="ERROR",
        max_upload_bytes=20 * 2**20,
        **settings,
    )
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        cache = redis.Redis.from_url(config.redis_url) if config.redis_url else None
        app = create_app(config, mongo_client=client, redis_client=cache)
        app.extensions["projectapi"].schema.set_up()
        try:
            yield app
        finally:
            if cache is not None:
                cache.close()
            client.drop_database(database)


def fill(client: FlaskClient, projects: int, *, videos: int = 2, chance: random.Random | None = None) -> list[str]:
    """Make projects with history, some with a video, a transcript or in the trash, and return their ids."""
    chance = chance or random.Random(7)
    return [_make_project(client, number, number < videos, chance) for number in range(projects)]


def _make_project(client: FlaskClient, number: int, has_video: bool, chance: random.Random) -> str:
    owner = {"X-User-Id": OWNERS[number % len(OWNERS)]}
    project_id = create_project(client, f"Film {number}", **owner)
    for version in range(chance.randint(0, 5)):
        save(client, project_id, make_state(make_clip(f"clip-{version}", duration=chance.random())), f"Cut {version}")
    if has_video:
        upload(client, project_id, small_mp4_bytes())
    if number % 4 == 0:
        words = [{"text": "so", "start": 0.1, "end": 0.4, "is_filler": True}]
        segments = [{"start_time": 0, "end_time": 1, "text": "so", "words": words}]
        body = {"project_id": project_id, "language": "en", "segments": segments, "metadata": {"take": number}}
        assert client.post("/transcriptions/", json=body).status_code == 200
    if number % 10 == 9:
        assert client.delete(f"/projects/{project_id}").status_code == 200
    return project_id


def answers(client: FlaskClient, project_ids: list[str], *, videos: bool = True) -> dict[str, tuple[int, bytes, str | None]]:
    """Return every answer of the contract about these projects, by address: status, bytes, entity tag."""
    addresses = []
    for project_id in project_ids:
        addresses += [f"/projects/{project_id}", f"/projects/{project_id}/debug", f"/timeline/{project_id}"]
        addresses += [f"/timeline/{project_id}/history?include_state=true", f"/transcriptions/{project_id}"]
        addresses += [f"/timeline/{project_id}/version/{version}" for version in (1, 3)]
        addresses += [f"/media/{project_id}/video", f"/media/{project_id}/thumbnail"] if videos else []
    found = {address: _answer(client, address) for address in addresses}
    for owner in OWNERS:
        for query in ("limit=200", "deleted=true&limit=200", "sort=name&order=asc&limit=7"):
            found[f"{owner} {query}"] = _answer(client, f"/projects/?{query}", {"X-User-Id": owner})
    return found


def _answer(client: FlaskClient, address: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, str | None]:
    with client.get(address, headers={"X-Request-Id": "asked-for-the-comparison", **(headers or {})}) as answer:
        # A picture's tag is made of its file's time.
        tag = None if address.endswith("/thumbnail") else answer.headers.get("ETag")
        return answer.status_code, answer.get_data(), tag
