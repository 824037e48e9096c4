"""Files that are made to harm: each is refused in plain words, soon, in little memory, and reaches nothing besides itself."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import imageio_ffmpeg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.errors_shape import assert_error
from tests.hostile_files import FILES, NAMES, SCRIPTS
from tests.media_samples import small_mp4_bytes

SECONDS = 15
"""The tool may compute for 12 s; a machine with nothing else to do refuses each of these files within one."""

MEMORY_BYTES = 2**29
"""A sixth of what the tool may take."""


@pytest.fixture
def project_id(light_client: FlaskClient) -> str:
    return str(light_client.post("/projects", json={"name": "Film"}).get_json()["data"]["_id"])


@pytest.fixture
def media_dir(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket of this machine that anybody may open; nobody answers, and who came waits in its queue."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/film.mp4"


def was_contacted(listener: socket.socket, seconds: float = 0.0) -> bool:
    return bool(select.select([listener], [], [], seconds)[0])


def send(client: FlaskClient, project_id: str, content: bytes, name: str = "film.mp4") -> TestResponse:
    form = {"project_id": project_id, "file": (BytesIO(content), name, "video/mp4")}
    return client.post("/media/upload", data=form)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_refused_in_plain_words(response: TestResponse, *never: str) -> None:
    body = assert_error(response, 400, "invalid_video")
    sentence = body["error"]
    assert sentence.endswith(".") and " " in sentence
    for word in ("ffmpeg", "Error", "Invalid data", "moov", "/", "\\", "0x", "[", *never):
        assert word not in sentence


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_file_is_refused_in_plain_words_within_its_limits(
    light_client: FlaskClient, project_id: str, media_dir: Path, kind: str
) -> None:
    began = time.monotonic()

    response = send(light_client, project_id, FILES[kind]())

    assert_refused_in_plain_words(response)
    assert time.monotonic() - began < SECONDS
    assert files_below(media_dir) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_opens_neither_a_file_nor_a_url(
    light_client: FlaskClient, project_id: str, media_dir: Path, listener: socket.socket, script: str
) -> None:
    # The other film lies where part files lie, beside the script.
    secret = media_dir / "incoming" / "secret.mp4"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(small_mp4_bytes())

    for target in (secret.name, str(secret), f"file:{secret}", url_of(listener)):
        response = send(light_client, project_id, SCRIPTS[script].replace("{target}", target).encode("latin-1"))
        assert_refused_in_plain_words(response, "secret", "127.0.0.1")

    assert not was_contacted(listener)
    assert files_below(media_dir) == ["incoming/secret.mp4"]


_SERVER = """
import resource, sys
from pathlib import Path
from projectapi import errors
from projectapi.media import MediaRoom

room = MediaRoom(Path(sys.argv[1]) / "media", 2**31)
for file in sorted(Path(sys.argv[1]).glob("*.film")):
    with room.receive() as part:
        part.write(file.read_bytes())
        try:
            room.accept(part, None)
        except errors.InvalidVideo:
            continue
        sys.exit("taken")
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_no_hostile_file_makes_a_tool_take_much_memory(tmp_path: Path) -> None:
    for number, make in enumerate(FILES.values()):
        (tmp_path / f"{number:02}.film").write_bytes(make())

    # In a server of its own, none of whose children has made the files.
    command = [sys.executable, "-c", _SERVER, str(tmp_path)]
    server = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True, timeout=120)

    assert 2**24 < int(server.stdout) < MEMORY_BYTES


def test_the_scripts_really_are_dangerous(tmp_path: Path, listener: socket.socket) -> None:
    script = tmp_path / "list.m3u8"
    script.write_text(SCRIPTS["an HLS playlist"].replace("{target}", url_of(listener).replace(".mp4", ".ts")))
    careless = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-protocol_whitelist", "file,http,tcp"),
        *("-i", str(script), "-f", "null", "-"),
    ]

    with subprocess.Popen(careless, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        contacted = was_contacted(listener, seconds=20)
        process.kill()

    assert contacted


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(light_client: FlaskClient, project_id: str, media_dir: Path, name: str) -> None:
    assert_refused_in_plain_words(send(light_client, project_id, b"no video at all", name))

    assert files_below(media_dir) == []


def test_a_film_with_a_hostile_name_is_stored_under_a_name_of_ours(
    light_client: FlaskClient, project_id: str, media_dir: Path
) -> None:
    answers = [send(light_client, project_id, small_mp4_bytes(), name) for name in NAMES[:3]]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not [path for path in files_below(media_dir) if "passwd" in path or "zero" in path]
