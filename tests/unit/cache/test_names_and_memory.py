"""The names of keys, and the bodies that a worker keeps."""

from __future__ import annotations

import random

import pytest

from projectapi.stores.cache import CacheKey, CacheSettings, Entry
from projectapi.stores.cache.keys import slots_of_write
from projectapi.stores.cache.local import LocalEntries


def hash_tag(name: str) -> str:
    """Return what a Redis Cluster hashes of a key."""
    return name[name.index("{") + 1 : name.index("}")]


@pytest.mark.parametrize("project_id", ["p1", "a" * 200, "}{", "a b:c*", "", "ümlaut\udc80"], ids=repr)
def test_everything_of_one_project_lies_in_one_slot_whatever_its_id(project_id: str) -> None:
    project, lists = slots_of_write(7, ("history", "project", "timeline"), project_id, "anna")

    assert len({hash_tag(name) for name in (*project.entries, *project.copies)}) == 1
    assert len(project.entries) == len(project.copies) == 3
    assert hash_tag(lists.entries[0]) == hash_tag(CacheKey.of_list("anna", "q").entry(7))


def test_no_two_projects_and_no_two_kinds_share_a_key() -> None:
    ids = ["p1", "p2", "}{", "{}", "", "~", "o:p1"]
    names = [CacheKey.of_project(kind, name).entry(1) for kind in ("project", "timeline") for name in ids]
    names += [CacheKey.of_list(name, query).entry(1) for name in ids for query in ("", "a")]

    assert len(set(names)) == len(names)


def test_a_write_names_the_keys_that_readers_use() -> None:
    project, lists = slots_of_write(7, ("project",), "p1", "anna")
    key, page = CacheKey.of_project("project", "p1"), CacheKey.of_list("anna", "q")

    assert (project.entries, project.copies) == ([key.entry(7)], [key.copy()])
    assert lists.entries == [page.generation(7)]


def test_the_layout_changes_with_the_kinds_and_with_the_representation() -> None:
    layouts = {
        CacheSettings().layout,
        CacheSettings(representation="2").layout,
        CacheSettings(ttl_seconds={"project": 1.0, "list": 1.0}).layout,
    }

    assert len(layouts) == 3
    assert CacheSettings(absent_seconds=1.0).layout in layouts


def test_memory_is_bounded_and_the_least_recently_used_body_goes_first() -> None:
    local = LocalEntries(limit_bytes=3 * 2024)
    for name in ("a", "b", "c"):
        local.keep(name, Entry.of(bytes(1000), version=1, etag=""))
    local.get("a")

    local.keep("d", Entry.of(bytes(1000), version=1, etag=""))

    assert [name for name in "abcd" if local.get(name)] == ["a", "c", "d"]
    assert local.bytes_used <= 3 * 2024


def test_what_is_made_of_a_body_later_counts_too() -> None:
    local, entries = LocalEntries(limit_bytes=30_000), {name: compressible_entry() for name in "abc"}
    for name, entry in entries.items():
        local.keep(name, entry)

    for entry in entries.values():
        for coding in ("zstd", "br", "gzip"):
            entry.encoded([coding])

    kept = [name for name in "abc" if local.get(name)]
    assert local.bytes_used == sum(entries[name].weight for name in kept) <= 30_000
    assert kept == ["a"], "which was the first to be used, and takes 21,000 bytes with all its forms"


def test_what_is_made_of_a_body_that_was_replaced_does_not_count() -> None:
    local, old = LocalEntries(limit_bytes=30_000), compressible_entry()
    local.keep("a", old)
    local.keep("a", Entry.of(b"new", version=2, etag=""))
    before = local.bytes_used

    old.encoded(["gzip"])

    assert local.bytes_used == before


def compressible_entry() -> Entry:
    """Return an entry with a body of 8,000 bytes that can be packed into half of that."""
    return Entry.of(random.Random(1).randbytes(4_000).hex().encode(), version=1, etag="")


def test_a_body_that_is_larger_than_the_memory_replaces_nothing_but_its_own_older_version() -> None:
    local = LocalEntries(limit_bytes=5000)
    local.keep("a", Entry.of(b"a", version=1, etag=""))
    local.keep("b", Entry.of(b"b", version=1, etag=""))

    local.keep("a", Entry.of(bytes(9000), version=2, etag=""))

    assert local.get("a") is None and local.get("b") is not None
    assert local.bytes_used == Entry.of(b"b", version=1, etag="").weight
