"""What uploads cost: time, CPU and a worker's memory, by every way in, beside a plain copy and other ways of receiving."""

from __future__ import annotations

import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median

import imageio_ffmpeg

from bench.candidates import PROJECTAPI, Servers
from bench.processes import HOST, ROOT, Running, free_port, running

GIB = 2**30
PIECE = 8 * 2**20
_SECONDS = 300.0
_BOUNDARY = "edge"


@dataclass(frozen=True)
class Upload:
    """One way of uploading: medians of seconds, and of the server's CPU seconds; the most memory a worker had at any time."""

    way: str
    size: int
    seconds: float
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    growth_bytes: int | None = None


@dataclass(frozen=True)
class _Way:
    name: str
    server: Running | None
    send: Callable[[], None]


def measure_uploads(servers: Servers, rounds: int = 3, size: int = GIB) -> list[Upload]:
    """Return what each way costs for a video of `size` bytes, the ways in turns."""
    video = _make_video(servers.folder / "upload.mp4", size)
    with PROJECTAPI.run(servers, cached=True) as ours, _receivers(servers) as others:
        project = PROJECTAPI.dialect.new_project(ours.port)
        ways = _ways(ours, others, project, video)
        taken: dict[str, list[Upload]] = {way.name: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                taken[way.name].append(_measured(way, size))
    return [_summary(measured) for measured in taken.values()]


def _ways(ours: Running, others: Running, project: str, video: Path) -> list[_Way]:
    body, tus = f"/media/{project}/video", "/media/uploads"
    return [
        _Way("`cp` and fsync", None, lambda: _copy(video)),
        _Way("projectapi, body of a PUT", ours, lambda: _send_whole(ours, "PUT", body, video)),
        _Way("projectapi, form", ours, lambda: _send_form(ours, "/media/upload", project, video)),
        _Way("projectapi, tus, one piece", ours, lambda: _send_pieces(ours, tus, project, video, video.stat().st_size)),
        _Way("projectapi, tus, pieces of 8 MiB", ours, lambda: _send_pieces(ours, tus, project, video, PIECE)),
        _Way("as tusd does, pieces of 8 MiB", others, lambda: _send_pieces(others, "/files", project, video, PIECE)),
        _Way("Flask, form", others, lambda: _send_form(others, "/upload", project, video)),
    ]


def _measured(way: _Way, size: int) -> Upload:
    if way.server is None:
        started = time.monotonic()
        way.send()
        return Upload(way.name, size, time.monotonic() - started)
    workers = _workers(way.server)
    before = max(_forget_peak(worker) for worker in workers)
    cpu, started = way.server.cpu_seconds(), time.monotonic()
    way.send()
    seconds, cpu = time.monotonic() - started, way.server.cpu_seconds() - cpu
    peak = max(_memory(worker, "VmHWM") for worker in workers)
    return Upload(way.name, size, seconds, cpu, peak, peak - before)


def _summary(measured: Sequence[Upload]) -> Upload:
    first = measured[0]
    seconds = median(one.seconds for one in measured)
    if first.cpu_seconds is None:
        return Upload(first.way, first.size, seconds)
    cpu = median(one.cpu_seconds or 0 for one in measured)
    peak, growth = max(one.peak_bytes or 0 for one in measured), max(one.growth_bytes or 0 for one in measured)
    return Upload(first.way, first.size, seconds, cpu, peak, growth)


def _make_video(path: Path, size: int) -> Path:
    """Make a second of video, followed by a box of free space (ISO 14496-12, section 8.1.2) that makes it as large as asked."""
    picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=1", "-pix_fmt", "yuv420p"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *picture, "-y", str(path)], check=True)
    left = size - path.stat().st_size
    noise = os.urandom(2**20)
    with path.open("ab") as file:
        file.write(left.to_bytes(4, "big") + b"free")
        left -= 8
        while left > 0:
            left -= file.write(noise[:left])
        os.fsync(file.fileno())
    return path


def _copy(video: Path) -> None:
    target = video.with_suffix(".copy")
    subprocess.run(["cp", "--reflink=never", str(video), str(target)], check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    target.unlink()


@contextmanager
def _receivers(servers: Servers) -> Iterator[Running]:
    folder = servers.folder / "receivers"
    folder.mkdir(exist_ok=True)
    port = free_port()
    environment = {"MEDIA_DIR": str(folder), "WEB_CONCURRENCY": "1", "WEB_THREADS": "4", "PYTHONPATH": str(ROOT)}
    environment |= {"MONGODB_URI": servers.mongodb_uri(), "TMPDIR": str(folder)}
    settings = ["--config", str(ROOT / "bench/gunicorn_conf.py"), "--bind", f"{HOST}:{port}", "--max-requests", "0"]
    with running(["gunicorn", *settings, "bench.peers.receivers:app"], port, folder / "log", environment) as server:
        yield server


def _send_whole(server: Running, method: str, path: str, video: Path) -> None:
    _send(server, method, path, video, {"Content-Type": "video/mp4"})


def _send_form(server: Running, path: str, project: str, video: Path) -> None:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="project_id"\r\n\r\n{project}\r\n--{_BOUNDARY}\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="film.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
    around = (head.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode())
    _send(server, "POST", path, video, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}, around=around)


def _send_pieces(server: Running, path: str, project: str, video: Path, piece: int) -> None:
    size = video.stat().st_size
    version = {"Tus-Resumable": "1.0.0"}
    plan = {"Upload-Length": str(size), "Upload-Metadata": "project_id " + b64encode(project.encode()).decode()}
    address = _send(server, "POST", path, None, version | plan)["Location"]
    for offset in range(0, size, piece):
        headers = {**version, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        _send(server, "PATCH", address, video, headers, part=(offset, min(piece, size - offset)))


def _send(
    server: Running,
    method: str,
    path: str,
    video: Path | None,
    headers: dict[str, str],
    *,
    around: tuple[bytes, bytes] = (b"", b""),
    part: tuple[int, int] | None = None,
) -> dict[str, str]:
    """Send a request whose body is the video, or a part of it, straight from the disk; return the answer's headers."""
    start, length = part or (0, video.stat().st_size if video else 0)
    connection = HTTPConnection(HOST, server.port, timeout=_SECONDS)
    connection.putrequest(method, path)
    for name, value in {**headers, "Content-Length": str(length + sum(map(len, around)))}.items():
        connection.putheader(name, value)
    connection.endheaders(around[0])
    if video is not None:
        with video.open("rb") as file:
            connection.sock.sendfile(file, start, length)
        connection.send(around[1])
    answer: HTTPResponse = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status not in (200, 201, 204):
        raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}; {server.log_tail()}")
    return dict(answer.getheaders())


def _workers(server: Running) -> list[int]:
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _forget_peak(pid: int) -> int:
    """Have the kernel count the peak anew, and return the memory in use now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory(pid, "VmRSS")


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
