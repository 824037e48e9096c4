"""The stand-ins that this process runs, or uses: started once, joined from elsewhere, ended with their owner."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from projectapi.devstack.folder import DataFolder, ServerRecord, StackRecord
from projectapi.devstack.processes import DevstackError, end_orphan
from projectapi.devstack.servers import MONGODB, REDIS, EmbeddedServer

_JOIN_SECONDS = 40.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class StandIns:
    """The stand-ins that this process uses; a URI is None where none was asked for.

    `joined` tells that another process, `owner_pid`, started them and will end them.
    """

    instance_dir: Path
    owner_pid: int
    joined: bool
    mongodb_uri: str | None = None
    redis_url: str | None = None

    def offers(self, *, mongodb: bool, redis: bool) -> bool:
        """Tell whether all the servers asked for are among them."""
        return (not mongodb or self.mongodb_uri is not None) and (not redis or self.redis_url is not None)


@dataclass
class _Session:
    """What this process has started or joined."""

    stand_ins: StandIns
    folder: DataFolder
    servers: list[EmbeddedServer]
    variables: tuple[str, ...] = ()


_session: _Session | None = None


def provide(instance_dir: Path, *, mongodb: bool = True, redis: bool = True, join: bool = False) -> StandIns:
    """Return running stand-ins for the servers asked for, with their data under `instance_dir`; start them if need be.

    When another process runs them on this folder: with `join` return its servers, else raise DevstackError, which names the
    folder and the process. Asked again, a process gets the same stand-ins. Never call this in production.
    """
    global _session
    folder = DataFolder(instance_dir.resolve())
    if _session is not None and (join or not _session.stand_ins.joined):
        return _the_same_again(_session.stand_ins, folder.path, mongodb=mongodb, redis=redis)
    if folder.acquire():
        _session = _start(folder, mongodb=mongodb, redis=redis)
    elif join:
        _session = _join(folder, mongodb=mongodb, redis=redis)
    else:
        raise DevstackError(_in_use(folder))
    _announce(_session)
    return _session.stand_ins


def current() -> StandIns | None:
    """Return the stand-ins that this process uses, if any."""
    return _session.stand_ins if _session is not None else None


def stop() -> None:
    """End the servers that this process started, the database last; does nothing in a process that only uses them."""
    global _session
    if _session is None or (not _session.stand_ins.joined and _session.stand_ins.owner_pid != os.getpid()):
        return
    for variable in _session.variables:
        os.environ.pop(variable, None)
    session, _session = _session, None
    if not session.stand_ins.joined:
        for server in reversed(session.servers):
            server.stop()
        session.folder.release()


def _the_same_again(stand_ins: StandIns, path: Path, *, mongodb: bool, redis: bool) -> StandIns:
    if stand_ins.instance_dir != path or not stand_ins.offers(mongodb=mongodb, redis=redis):
        raise RuntimeError("this process already uses other stand-ins: call devstack.stop() first")
    return stand_ins


def _in_use(folder: DataFolder) -> str:
    return (
        f"The data folder {folder.path} is in use by process {folder.holder() or 'unknown'}: "
        "stop that process first, or set INSTANCE_DIR to another folder."
    )


def _join(folder: DataFolder, *, mongodb: bool, redis: bool) -> _Session:
    """Use the servers of the process that owns the folder; wait for them, as it may just be starting them."""
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        record = folder.read()
        # A record of another process than the holder is what an earlier owner left behind.
        if record is not None and record.ready and record.pid == folder.holder():
            break
        if folder.acquire():
            return _start(folder, mongodb=mongodb, redis=redis)
        if time.monotonic() > deadline:
            raise DevstackError(f"{_in_use(folder)} Its servers did not come up.")
        time.sleep(_POLL_SECONDS)
    stand_ins = _from_record(folder.path, record, joined=True)
    if not stand_ins.offers(mongodb=mongodb, redis=redis):
        raise DevstackError(f"{_in_use(folder)} It runs with other settings of MONGODB_URI or REDIS_URL.")
    return _Session(stand_ins, folder, [])


def _start(folder: DataFolder, *, mongodb: bool, redis: bool) -> _Session:
    """Start servers on a folder that this process has just come to own."""
    _end_leftovers(folder)
    wanted = [kind for kind, needed in ((MONGODB, mongodb), (REDIS, redis)) if needed]
    servers = [EmbeddedServer(kind, folder.path) for kind in wanted]
    try:
        for server in servers:
            server.start()
        # Before they are ready: should we be killed now, the next start must know whom to end.
        folder.write(ready=False, servers=_records(servers))
        for server in servers:
            server.wait_until_ready()
        folder.write(ready=True, servers=_records(servers))
    except BaseException:
        for server in reversed(servers):
            server.stop()
        folder.release()
        raise
    record = StackRecord(pid=os.getpid(), ready=True, servers=_records(servers))
    _stop_at_the_end()
    return _Session(_from_record(folder.path, record, joined=False), folder, servers)


def _end_leftovers(folder: DataFolder) -> None:
    """End the servers of an owner that is gone: two database servers must never work on the same files."""
    record = folder.read()
    for server in record.servers if record is not None else ():
        end_orphan(server.pid, server.program, server.folder)


def _records(servers: list[EmbeddedServer]) -> tuple[ServerRecord, ...]:
    return tuple(
        ServerRecord(
            name=server.kind.name,
            variable=server.kind.variable,
            uri=server.uri,
            pid=server.process.pid,
            program=server.kind.program,
            folder=str(server.folder),
        )
        for server in servers
        if server.process is not None
    )


def _from_record(path: Path, record: StackRecord, *, joined: bool) -> StandIns:
    uris = {server.variable: server.uri for server in record.servers}
    return StandIns(
        instance_dir=path,
        owner_pid=record.pid,
        joined=joined,
        mongodb_uri=uris.get(MONGODB.variable),
        redis_url=uris.get(REDIS.variable),
    )


def _announce(session: _Session) -> None:
    """Put the servers' addresses into the environment, where processes that we start will find them."""
    uris = {MONGODB.variable: session.stand_ins.mongodb_uri, REDIS.variable: session.stand_ins.redis_url}
    new = {variable: uri for variable, uri in uris.items() if uri is not None}
    os.environ.update(new)
    session.variables = tuple(new)


def _stop_at_the_end() -> None:
    """Arrange that `stop` runs when this process ends, be it by a signal that nobody else has plans for."""
    atexit.register(stop)
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
