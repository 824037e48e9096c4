"""A database, stores and a media folder of a test's own, with a clock that can be turned back for single revisions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.media import MediaRoom
from projectapi.project import EntityTag, JsonObject, ProjectKey, TimelineSave, Video, empty_timeline_state, now
from projectapi.protocols import HistoryReport, PurgeReport
from projectapi.schemas import answers
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.stores.announced import Announce, unannounced
from projectapi.stores.assembly import mongo_stores
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from projectapi.stores.database_schema import MongoDatabaseSchema
from projectapi.stores.housekeeping import MongoHousekeeping
from projectapi.timeline.retention import RetentionPolicy
from tests.media_samples import video_record

POLICY = RetentionPolicy()
LONG_AGO = timedelta(hours=2)


def state(number: int) -> JsonObject:
    """Return a timeline of some clips that differs a little from number to number."""
    clips = [
        {"id": f"clip-{n}", "type": "video", "start_time": n, "end_time": n + 1, "duration": 1.0, "note": "x" * 40}
        for n in range(20)
    ]
    clips[number % 20] = {**clips[number % 20], "duration": 2.0 + number}
    layer = {"id": "layer-1", "name": "Main", "type": "video", "clips": clips}
    return {**empty_timeline_state(), "layers": [layer], "duration": float(number)}


class World:
    """Everything that housekeeping works on, and what a frontend sees of it."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        media: Path,
        announce: Announce = unannounced,
    ) -> None:
        self.database = database
        self.projects = database[PROJECTS]
        self.revisions = database[TIMELINE_STATES]
        self.retry = Retry()
        self.stores = mongo_stores(database, self.retry, answers)
        self.videos = MediaRoom(media, max_upload_bytes=2**20)
        self.media = media
        self.housekeeping = MongoHousekeeping(database, self.retry, self.videos, self.videos.resumable, announce)
        self.schema = MongoDatabaseSchema(database, self.retry, mongodb_schema())

    def create(self, name: str = "Film", owner: str = "anonymous") -> str:
        """Make a project and return its id."""
        return self.stores.projects.create_project(name=name, description=None, owner=owner).id

    def save(self, project_id: str, number: int, description: str | None = None, *, ago: timedelta = timedelta()) -> int:
        """Save a version that was made some time ago and return its number."""
        save = TimelineSave(state=state(number), description=description)
        timeline = self.stores.timelines.save_timeline(ProjectKey(project_id), save)
        if ago:
            self.turn_back(ObjectId(timeline.id), ago)
        return timeline.version

    def turn_back(self, revision_id: ObjectId, ago: timedelta) -> None:
        """Make a revision look as if nobody had touched it for this long."""
        then = now() - ago
        times = {"createdAt": then, "updatedAt": then}
        self.revisions.update_one({"_id": revision_id}, {"$set": times})
        head = {f"timelineHead.{field}": then for field in times}
        self.projects.update_one({"timelineHead._id": revision_id}, {"$set": head})

    def let_time_pass(self, passed: timedelta = LONG_AGO) -> None:
        """Make everything that is not history look untouched for this long."""
        then = now() - passed
        self.revisions.update_many({"committed": False, "updatedAt": {"$gt": then}}, {"$set": {"updatedAt": then}})
        self.revisions.update_many({"orphanedAt": {"$exists": True}}, {"$set": {"orphanedAt": then}})

    def add_video(self, project_id: str) -> Video:
        """Give a project a video whose files are there, without looking like one inside."""
        identity = uuid.uuid4()
        path, thumbnail = f"videos/{identity}.mp4", f"thumbnails/thumb_{identity}.jpg"
        for name in (path, thumbnail, f"trimmed/{identity}_{'0' * 64}.mp4"):
            file = self.media / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"film")
        video = video_record(path=path, thumbnail_path=thumbnail, bytes=4)
        self.stores.projects.set_video(ProjectKey(project_id), video)
        return video

    def delete(self, project_id: str, *, ago: timedelta = timedelta()) -> None:
        """Move a project to the trash, some time ago."""
        self.stores.projects.delete_project(ProjectKey(project_id))
        self.projects.update_one({"projectId": project_id}, {"$set": {"deletedAt": now() - ago}})

    def sweep(self, policy: RetentionPolicy = POLICY, *, dry_run: bool = False) -> HistoryReport:
        """Sweep the history at this moment."""
        return self.housekeeping.sweep_history(policy, now(), dry_run=dry_run)

    def purge(self, *, older_than: timedelta = timedelta(days=30), dry_run: bool = False) -> PurgeReport:
        """Purge what has been in the trash for this long."""
        return self.housekeeping.purge(now() - older_than, dry_run=dry_run)

    def history(self, project_id: str) -> dict[int, JsonObject | None]:
        """Return every version of a project with its state, read in full."""
        # New stores, as after a restart: what others remember of deleted keyframes must not help.
        timelines = mongo_stores(self.database, self.retry, answers).timelines
        revisions = timelines.list_revisions(ProjectKey(project_id), limit=1000, with_state=True)
        return {revision.version: revision.state for revision in revisions}

    def stored_versions(self, project_id: str) -> list[int]:
        """Return the versions of all revisions of a project that still take room."""
        return sorted(revision["version"] for revision in self.revisions.find({"projectId": project_id}))

    def tag(self, project_id: str) -> EntityTag:
        """Return a project's entity tag."""
        project = self.stores.projects.get_summary(ProjectKey(project_id))
        return EntityTag(project.version, project.tag)

    def files(self) -> list[str]:
        """Return the names of all media files."""
        return sorted(str(path.relative_to(self.media)) for path in self.media.rglob("*") if path.is_file())

    def dump(self) -> Mapping[str, Any]:
        """Return everything there is: all documents and the names of all files."""
        collections = {c.name: list(c.find({}, sort=[("_id", 1)])) for c in (self.projects, self.revisions)}
        return {**collections, "files": self.files()}

    def assert_nothing_dangles(self) -> None:
        """Check that whatever points somewhere finds what it points to, and that nothing is left of what is gone."""
        known = {project["projectId"]: project for project in self.projects.find()}
        stored = {revision["_id"]: revision for revision in self.revisions.find()}
        for revision in stored.values():
            assert revision["projectId"] in known, "a revision without a project"
            assert revision["keyframe"] in stored, "a delta without its keyframe"
        for project in known.values():
            head = project["timelineHead"]
            assert head is None or {head["_id"], head["keyframe"]} <= stored.keys(), "a head without its revision"
        named = {
            path for p in known.values() if p["video"] for path in (p["video"]["path"], p["video"]["thumbnailPath"])
        }
        kept = {name for name in self.files() if not name.startswith("trimmed/")}
        assert kept == named, "files and records do not agree"


