"""The strongest peer: FastAPI, the asynchronous PyMongo driver, and finished bytes in Redis behind a hand-written cache."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import redis.asyncio as redis
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field
from pymongo import DESCENDING, AsyncMongoClient

TTL_SECONDS = 300


class Clip(BaseModel):
    """One clip."""

    id: str
    type: str
    start_time: float
    end_time: float
    duration: float
    source_path: str | None = None
    content: str | None = None
    properties: dict[str, Any] | None = None
    keyframes: list[Any] | None = None


class Layer(BaseModel):
    """One layer."""

    id: str
    name: str
    type: str
    order: int | None = None
    clips: list[Clip] = []


class Timeline(BaseModel):
    """A timeline."""

    layers: list[Layer] = []
    playhead_time: float | None = None
    zoom: float | None = None
    duration: float | None = None
    markers: list[dict[str, Any]] = []


class Save(BaseModel):
    """The body of a save."""

    project_id: str
    timeline_state: Timeline


class NewProject(BaseModel):
    """The body of a creation."""

    name: str


class Summary(BaseModel):
    """A project in a list."""

    id: str = Field(validation_alias="_id", serialization_alias="_id")
    name: str
    user_id: str
    updated_at: datetime
    version: int


class Project(Summary):
    """A project."""

    timeline_state: Timeline | None = None


class Answer(BaseModel):
    """The envelope."""

    success: bool = True
    data: Project | list[Summary] | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to both servers."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["MONGODB_URI"], tz_aware=True)
    app.state.projects = client[os.environ["MONGODB_DATABASE"]].projects
    url = os.environ.get("REDIS_URL")
    app.state.cache = redis.from_url(url) if url else None
    await app.state.projects.create_index([("user_id", 1), ("updated_at", DESCENDING)])
    yield
    await client.close()


app = FastAPI(lifespan=lifespan)


def finished(answer: Answer) -> bytes:
    """Return an answer as bytes."""
    return answer.model_dump_json(by_alias=True).encode()


@app.post("/projects/")
async def create_project(body: NewProject, x_user_id: str = Header("anonymous")) -> Response:
    """Create a project."""
    document = {"_id": uuid4().hex, "name": body.name, "user_id": x_user_id, "updated_at": datetime.now(UTC), "version": 1}
    await app.state.projects.insert_one(document)
    return Response(finished(Answer(data=Project.model_validate(document))), media_type="application/json")


@app.get("/projects/")
async def list_projects(x_user_id: str = Header("anonymous")) -> Response:
    """List the newest projects of an owner."""
    cursor = app.state.projects.find({"user_id": x_user_id}, {"timeline_state": False})
    found = await cursor.sort("updated_at", DESCENDING).limit(50).to_list()
    answer = Answer(data=[Summary.model_validate(document) for document in found])
    return Response(finished(answer), media_type="application/json")


@app.get("/projects/{project_id}")
async def get_project(project_id: str, if_none_match: str | None = Header(None)) -> Response:
    """Return a project with its timeline: the bytes from Redis, with the entity tag before the first line break."""
    stored: bytes | None = await app.state.cache.get(project_id) if app.state.cache else None
    if stored is None:
        document = await app.state.projects.find_one({"_id": project_id})
        if document is None:
            raise HTTPException(404)
        stored = b'"%d"\n' % document["version"] + finished(Answer(data=Project.model_validate(document)))
        if app.state.cache:
            await app.state.cache.set(project_id, stored, ex=TTL_SECONDS)
    tag, _, body = stored.partition(b"\n")
    headers = {"ETag": tag.decode()}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@app.post("/timeline/")
async def save_timeline(body: Save) -> dict[str, Any]:
    """Save the timeline."""
    changed = {"timeline_state": body.timeline_state.model_dump(), "updated_at": datetime.now(UTC)}
    result = await app.state.projects.update_one({"_id": body.project_id}, {"$set": changed, "$inc": {"version": 1}})
    if not result.matched_count:
        raise HTTPException(404)
    if app.state.cache:
        await app.state.cache.delete(body.project_id)
    return {"success": True, "data": None}
