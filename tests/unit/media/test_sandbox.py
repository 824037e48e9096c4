"""The sandbox: real processes that misbehave."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from projectapi import errors
from projectapi.media.sandbox import FIRST_INPUT, Limits, Sandbox, SandboxError, SandboxTimeout

LIMITS = Limits(seconds=20, cpu_seconds=10, memory_bytes=2**30, output_bytes=2**20)
PYTHON = (sys.executable, "-I", "-S", "-c")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "untrusted.mp4"
    path.write_bytes(b"untrusted bytes")
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def run(source: Path, scratch: Path) -> Callable[..., bytes]:
    def start(*command: str, limits: Limits = LIMITS, opened: int = 1) -> bytes:
        return Sandbox(slots=1, wait_seconds=0).run(command, source=source, opened=opened, scratch=scratch, limits=limits)

    return start


def limits(**changes: float) -> Limits:
    values = {"seconds": 20, "cpu_seconds": 10, "memory_bytes": 2**30, "output_bytes": 2**20, **changes}
    return Limits(**values)  # type: ignore[arg-type]


def is_running(process_id: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_the_tool_reads_the_file_through_its_descriptor_only(run: Callable[..., bytes], scratch: Path) -> None:
    code = f"import os; print(os.read({FIRST_INPUT}, 99), os.listdir('.'), os.getcwd())"

    assert run(*PYTHON, code).decode() == f"b'untrusted bytes' [] {scratch}\n"


def test_a_file_opened_twice_is_read_twice(run: Callable[..., bytes]) -> None:
    code = f"import os; print(os.read({FIRST_INPUT}, 9), os.read({FIRST_INPUT + 1}, 9))"

    assert run(*PYTHON, code, opened=2) == b"b'untrusted' b'untrusted'\n"


def test_the_tool_inherits_no_other_descriptor(run: Callable[..., bytes]) -> None:
    listing = run("/bin/sh", "-c", "exec ls /proc/self/fd").split()

    # ls itself opens the folder that it lists.
    assert {int(name) for name in listing} <= {0, 1, 2, FIRST_INPUT, FIRST_INPUT + 1}


def test_the_environment_says_nothing(run: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:secret@db")

    printed = run("/usr/bin/env").decode()

    assert {line.partition("=")[0] for line in printed.splitlines()} == {"PATH", "LANG", "TMPDIR", "MALLOC_ARENA_MAX"}


def test_there_is_no_input_to_wait_for(run: Callable[..., bytes]) -> None:
    assert run("/bin/cat") == b""


def test_when_time_is_over_everything_that_was_started_is_killed(run: Callable[..., bytes], scratch: Path) -> None:
    script = "sleep 300 & echo $! > sleeper; wait"

    with pytest.raises(SandboxTimeout):
        run("/bin/sh", "-c", script, limits=limits(seconds=1))

    sleeper = int((scratch / "sleeper").read_text())
    wait_for(lambda: not is_running(sleeper))


def test_a_tool_that_closes_its_outputs_and_stays_is_killed_too(run: Callable[..., bytes], scratch: Path) -> None:
    with pytest.raises(SandboxTimeout):
        run("/bin/sh", "-c", "echo $$ > me; exec sleep 300 >&- 2>&-", limits=limits(seconds=1))

    wait_for(lambda: not is_running(int((scratch / "me").read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
def test_the_tool_dies_with_the_server(source: Path, scratch: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from projectapi.media.sandbox import Limits, Sandbox\n"
        "limits = Limits(seconds=60, cpu_seconds=60, memory_bytes=2**30, output_bytes=2**20)\n"
        "command = ['/bin/sh', '-c', 'echo $$ > half && mv half me && exec sleep 300']\n"
        "Sandbox(slots=1, wait_seconds=0).run(command, source=Path(sys.argv[1]), scratch=Path(sys.argv[2]), limits=limits)"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(source), str(scratch)], cwd=Path(__file__).parents[3])
    try:
        wait_for(lambda: (scratch / "me").exists())
        tool = int((scratch / "me").read_text())
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()

    wait_for(lambda: not is_running(tool))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_memory_is_limited(run: Callable[..., bytes]) -> None:
    code = "x = bytearray(200 * 2**20)"

    assert run(*PYTHON, code) == b""
    with pytest.raises(SandboxError):
        run(*PYTHON, code, limits=limits(memory_bytes=150 * 2**20))


def test_the_size_of_outputs_is_limited(run: Callable[..., bytes], scratch: Path) -> None:
    with pytest.raises(SandboxError):
        run(*PYTHON, "open('out', 'wb').write(bytes(10**6))", limits=limits(output_bytes=1000))

    assert (scratch / "out").stat().st_size <= 1000


def test_processor_time_is_limited(run: Callable[..., bytes]) -> None:
    began = time.monotonic()

    with pytest.raises(SandboxError) as caught:
        run(*PYTHON, "while True: pass", limits=limits(cpu_seconds=1))

    # A signal of its own: killed by another, a tool may as well have met a machine without memory.
    assert caught.value.status == -signal.SIGXCPU
    assert time.monotonic() - began < 15


def test_a_flood_of_output_is_cut_and_does_not_block(run: Callable[..., bytes]) -> None:
    code = "import sys; sys.stderr.write('e' * 10**6); sys.stdout.write('o' * 10**6)"

    assert run(*PYTHON, code) == b"o" * 262_144


def test_complaints_are_logged_at_debug_level_only(run: Callable[..., bytes], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), pytest.raises(SandboxError) as caught:
        run(*PYTHON, "import sys; sys.exit('a secret path')")

    assert "secret" not in str(caught.value)
    assert [record.levelname for record in caplog.records if "a secret path" in record.getMessage()] == ["DEBUG"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_that_the_tool_meets_is_reported_as_such(run: Callable[..., bytes], number: int) -> None:
    with pytest.raises(errors.DiskFull):
        run(*PYTHON, f"raise OSError({number}, {os.strerror(number)!r})")


def test_a_full_disk_is_reported_however_much_the_tool_complained_of_before(run: Callable[..., bytes]) -> None:
    with pytest.raises(errors.DiskFull):
        run(*PYTHON, "import sys; sys.exit('error while decoding MB 3 1\\n' * 10_000 + 'No space left on device')")


def test_a_tool_that_crashes_is_an_error(run: Callable[..., bytes]) -> None:
    with pytest.raises(SandboxError):
        run(*PYTHON, f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")


def test_a_file_that_is_not_there_is_said_so(run: Callable[..., bytes], source: Path) -> None:
    source.unlink()

    with pytest.raises(FileNotFoundError):
        run("/bin/true")


def test_more_runs_than_places_are_turned_away_after_a_bounded_wait() -> None:
    sandbox = Sandbox(slots=1, wait_seconds=0.05)

    with sandbox.place(), pytest.raises(errors.MediaBusy), sandbox.place():
        pass


def test_a_place_that_gets_free_is_given_to_who_waits() -> None:
    sandbox = Sandbox(slots=1, wait_seconds=10)
    got = threading.Event()

    def wait() -> None:
        with sandbox.place():
            got.set()

    with sandbox.place():
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not got.is_set()
    waiter.join(10)

    assert got.is_set()


def test_what_the_tool_left_running_is_killed_although_the_tool_ended_well(run: Callable[..., bytes], scratch: Path) -> None:
    run("/bin/sh", "-c", "sleep 300 >&- 2>&- & echo $! > sleeper")

    wait_for(lambda: not is_running(int((scratch / "sleeper").read_text())))


def test_what_the_tool_left_running_on_its_outputs_is_killed_in_time(run: Callable[..., bytes], scratch: Path) -> None:
    with pytest.raises(SandboxTimeout):
        run("/bin/sh", "-c", "sleep 300 & echo $! > sleeper", limits=limits(seconds=1))

    wait_for(lambda: not is_running(int((scratch / "sleeper").read_text())))
