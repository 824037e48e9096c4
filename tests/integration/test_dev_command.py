"""The ways to start projectapi in development: `flask dev` (which is `make run`), `flask run` and gunicorn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from projectapi.devstack.processes import wait_until
from projectapi.devstack.servers import is_port_free
from tests.harness.whole_app import ROOT, WholeApp, free_port

DEADLINE_SECONDS = 30.0


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment without servers; empty variables also outweigh a developer's own .env."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MONGODB_URI": "",
        "MONGO_URI": "",
        "REDIS_URL": "",
        "APP_ENV": "development",
        "INSTANCE_DIR": str(folder / "instance"),
        "MEDIA_DIR": str(folder / "media"),
        **more,
    }


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python in the project's folder to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.fixture
def whole_app(tmp_path: Path) -> Iterator[WholeApp]:
    """An application that the test ends."""
    app = WholeApp(tmp_path)
    app.start()
    yield app
    app.kill()


@pytest.fixture(scope="module")
def lasting_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeApp]:
    """An application that no test ends."""
    app = WholeApp(tmp_path_factory.mktemp("lasting"))
    app.start()
    yield app
    app.kill()


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", 0))
        other_program.listen()
        yield other_program.getsockname()[1]


def all_gone(app: WholeApp, processes: list[int]) -> bool:
    marks = [Path("/proc") / str(pid) / "cmdline" for pid in processes]
    return wait_until(lambda: not any(map(shows_a_process, marks)) and is_port_free(app.port, "0.0.0.0"), DEADLINE_SECONDS)


def shows_a_process(command_line: Path) -> bool:
    """Tell whether a process is there; what ended and was not yet noticed has no command line any more."""
    try:
        return bool(command_line.read_bytes())
    except OSError:
        return False


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_everything_with_success(whole_app: WholeApp, signal_number: signal.Signals) -> None:
    processes = whole_app.processes()
    assert len(processes) >= 5, "flask, gunicorn, at least one worker by now, MongoDB, Redis"

    assert whole_app.stop(signal_number) == 0
    assert all_gone(whole_app, processes)


def test_killing_the_launcher_alone_ends_everything(whole_app: WholeApp) -> None:
    processes = whole_app.processes()

    os.kill(processes[0], signal.SIGKILL)

    assert all_gone(whole_app, processes)


def test_when_gunicorn_dies_so_does_the_rest_and_the_exit_status_tells(whole_app: WholeApp) -> None:
    processes = whole_app.processes()
    gunicorn = next(pid for pid in processes if b"\0gunicorn\0" in (Path("/proc") / str(pid) / "cmdline").read_bytes())

    os.kill(gunicorn, signal.SIGKILL)

    assert all_gone(whole_app, processes)
    assert whole_app.stop() == 128 + signal.SIGKILL


def test_the_first_screen_says_what_runs_where(lasting_app: WholeApp) -> None:
    screen = lasting_app.log.read_text()

    assert f"http://localhost:{lasting_app.port}" in screen
    assert f"embedded, data in {lasting_app.folder / 'instance' / 'mongodb'}" in screen
    assert f"curl http://localhost:{lasting_app.port}/health" in screen


def test_a_second_server_on_the_folder_is_refused_in_one_sentence_and_a_command_joins(lasting_app: WholeApp) -> None:
    folder = lasting_app.folder
    complaint = f"The data folder {folder / 'instance'} is in use by process {lasting_app.processes()[0]}: "

    for command in (("flask", "dev"), ("flask", "run"), ("gunicorn", "wsgi:app")):
        port = str(free_port())
        refused = run(folder, *command, PORT=port, FLASK_RUN_PORT=port)
        assert refused.returncode == 1
        assert complaint in refused.stderr and "Traceback" not in refused.stderr

    assert run(folder, "flask", "db", "init").returncode == 0
    assert lasting_app.request("GET", "/health").status == 200


def test_a_busy_port_is_said_in_one_sentence(tmp_path: Path, busy_port: int) -> None:
    refused = run(tmp_path, "flask", "dev", PORT=str(busy_port))

    assert refused.returncode == 1
    assert f"Port {busy_port} is in use by another program" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", [("flask", "run"), ("flask", "--debug", "run"), ("gunicorn", "wsgi:app")])
def test_the_usual_commands_bring_the_same_stand_ins(tmp_path: Path, command: tuple[str, ...]) -> None:
    app = WholeApp(tmp_path)
    ports = {"PORT": str(app.port), "FLASK_RUN_PORT": str(app.port)}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment(tmp_path, **ports), stdout=log, stderr=log
        )
    try:
        assert wait_until(lambda: serves(app), DEADLINE_SECONDS), (tmp_path / "server.log").read_text()
        assert app.request("GET", "/projects").status == 200
        assert (tmp_path / "instance" / "devstack.json").exists()
    finally:
        server.terminate()
        server.wait(DEADLINE_SECONDS)
    assert not (tmp_path / "instance" / "devstack.json").exists()
    assert wait_until(lambda: is_port_free(app.port), DEADLINE_SECONDS)


def serves(app: WholeApp) -> bool:
    try:
        return app.request("GET", "/health").status == 200
    except OSError:
        return False
