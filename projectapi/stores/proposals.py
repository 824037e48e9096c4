"""What a save wants to become the next version, and the update of the project's document that goes with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bson

from projectapi.errors import TimelineTooLarge
from projectapi.project import JsonObject, TimelineSave
from projectapi.stores.documents import Document, state_to_store
from projectapi.timeline.retention import is_named
from projectapi.timeline.revisions import dump_state

_STATE_MAX_BYTES = 15 * 2**20
"""Leaves a mebibyte of MongoDB's 16 for the rest of the project."""
_CERTAINLY_FITS_BYTES = 2 * 2**20
"""JSON this small cannot exceed the limit as BSON, which at worst takes some six times the room."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A state that is to become the next version, and the update of the project's document that makes it the current one."""

    save: TimelineSave
    raw: bytes
    sha256: str
    values: Document
    unset: Sequence[str]
    has_escaped_keys: bool


def propose_state(save: TimelineSave) -> Proposal:
    """Return the proposal that replaces the whole state. Raises TimelineTooLarge."""
    raw = dump_state(save.state)
    embedded, has_escaped_keys = state_to_store(save.state, raw)
    _check_size(raw, embedded)
    return Proposal(save, raw, hashlib.sha256(raw).hexdigest(), {"timelineState": embedded}, (), has_escaped_keys)


def propose_changes(save: TimelineSave, touched: Sequence[Sequence[str | int]]) -> Proposal:
    """Return the proposal that writes a state at the `touched` places only, where the rest is as it was before."""
    whole = propose_state(save)
    embedded = whole.values["timelineState"]
    if not all(touched) or not touched:
        return whole
    values, unset = {}, []
    for place in touched:
        path = ".".join(["timelineState", *map(str, place)])
        try:
            values[path] = _value_at(embedded, place)
        except KeyError:
            unset.append(path)
    return Proposal(save, whole.raw, whole.sha256, values, unset, whole.has_escaped_keys)


def _value_at(state: JsonObject, place: Sequence[str | int]) -> Any:
    value: Any = state
    for step in place:
        value = value[step]
    return value


def adds_nothing(proposal: Proposal, before: Document) -> bool:
    """Tell whether a proposal is what the head of the project holds already, and brings no name."""
    head = before["timelineHead"]
    if head is None or head["sha256"] != proposal.sha256:
        return False
    return not is_named(proposal.save.description, head["description"])


def _check_size(raw: bytes, embedded: Document) -> None:
    if len(raw) > _CERTAINLY_FITS_BYTES and len(bson.encode(embedded)) > _STATE_MAX_BYTES:
        raise TimelineTooLarge
