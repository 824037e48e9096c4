"""`flask dev`, which is what `make run` runs: the whole of projectapi on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import FrameType
from typing import Protocol

import click
from flask import current_app

from projectapi import devstack
from projectapi.cli.db import init
from projectapi.devstack.processes import start_child
from projectapi.devstack.servers import is_port_free

_STOP_SECONDS = 28.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Settings(Protocol):
    """The settings that this command needs; `create_app` keeps them in `app.config["PROJECTAPI"]`."""

    @property
    def port(self) -> int: ...
    @property
    def media_dir(self) -> Path: ...
    def masked(self) -> dict[str, str]: ...


@click.command("dev")
@click.pass_context
def dev_command(context: click.Context) -> None:
    """Run projectapi for development: MongoDB and Redis stand-ins, the database's set-up, and gunicorn."""
    settings: Settings = current_app.config["PROJECTAPI"]
    _refuse_a_busy_port(settings.port)
    _refuse_a_folder_in_use()
    context.invoke(init)
    click.echo(_banner(settings))
    exit_code = _serve_until_stopped()
    devstack.stop()
    context.exit(exit_code)


def _refuse_a_busy_port(port: int) -> None:
    if not is_port_free(port, host="0.0.0.0"):
        raise click.ClickException(
            f"Port {port} is in use by another program: stop that program first, or set PORT to another number."
        )


def _refuse_a_folder_in_use() -> None:
    """Refuse to serve from another process' stand-ins, which would vanish with that process."""
    stand_ins = devstack.current()
    if stand_ins is not None and stand_ins.joined:
        devstack.provide(
            stand_ins.instance_dir, mongodb=stand_ins.mongodb_uri is not None, redis=stand_ins.redis_url is not None
        )


def _banner(settings: Settings) -> str:
    url = f"http://localhost:{settings.port}"
    stand_ins = devstack.current()
    mongodb, redis = settings.masked()["MONGODB_URI"], settings.masked()["REDIS_URL"]
    if stand_ins is not None and stand_ins.mongodb_uri is not None:
        mongodb = f"{stand_ins.mongodb_uri}  embedded, data in {stand_ins.instance_dir / 'mongodb'}"
    if stand_ins is not None and stand_ins.redis_url is not None:
        redis = f"{stand_ins.redis_url}  embedded, nothing is kept"
    return f"""
  projectapi  {url}  (Ctrl-C stops everything)
  MongoDB     {mongodb}
  Redis       {redis}
  Videos      {settings.media_dir}

  Try this first:
    curl {url}/health
    curl -X POST {url}/projects -H 'Content-Type: application/json' -d '{{"name": "My first film"}}'
    curl {url}/projects
"""


def _serve_until_stopped() -> int:
    """Run gunicorn until it ends; return 0 if it was told to, by a signal to us, else its exit code."""
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--config", "gunicorn.conf.py"]
    gunicorn = start_child(command, when_parent_dies=signal.SIGTERM)
    with _passing_signals_to(gunicorn) as received:
        exit_code = _wait_for(gunicorn, received)
    if received:
        return 0
    return exit_code if exit_code >= 0 else 128 - exit_code


def _wait_for(gunicorn: Popen[bytes], received: list[int]) -> int:
    """Wait until gunicorn ends; once it was told to, not longer than its workers may take and a little more."""
    seconds_left = _STOP_SECONDS
    while True:
        try:
            return gunicorn.wait(1.0)
        except TimeoutExpired:
            seconds_left -= 1.0 if received else 0.0
            if seconds_left <= 0:
                # It has more patience than its workers' `graceful_timeout`, so something is broken.
                gunicorn.kill()


@contextmanager
def _passing_signals_to(gunicorn: Popen[bytes]) -> Iterator[list[int]]:
    """Turn a request to stop into gunicorn's graceful stop, a second one into its quick stop; list what was received."""
    received: list[int] = []

    def pass_on(signal_number: int, _frame: FrameType | None) -> None:
        gunicorn.send_signal(signal.SIGQUIT if received else signal.SIGTERM)
        received.append(signal_number)

    before = {number: signal.signal(number, pass_on) for number in _STOP_SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
