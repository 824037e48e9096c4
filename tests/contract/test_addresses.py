"""Contract 1.3 and 6: both spellings of an address, and the addresses around the resources."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.browser import Browser
from tests.contract.calls import create_project, save
from tests.contract.shapes import STATE_KEYS, assert_success
from tests.contract.timelines import make_state
from tests.media_samples import small_mp4_bytes


@pytest.mark.parametrize("path", ["/projects", "/projects/"])
def test_projects_are_listed_with_and_without_the_slash(client: FlaskClient, owner: str, path: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})

    listed = assert_success(client.get(path, headers={"X-User-Id": owner}))

    assert [project["_id"] for project in listed] == [project_id]


@pytest.mark.parametrize("path", ["/projects", "/projects/"])
def test_a_project_is_created_from_a_browser_with_and_without_the_slash(client: FlaskClient, path: str) -> None:
    project = assert_success(Browser(client).call("POST", path, json={"name": "Holiday"}))

    assert project["name"] == "Holiday"


@pytest.mark.parametrize("path", ["/timeline", "/timeline/"])
def test_a_timeline_is_saved_from_a_browser_with_and_without_the_slash(client: FlaskClient, project_id: str, path: str) -> None:
    body = {"project_id": project_id, "timeline_state": make_state()}

    document = assert_success(Browser(client).call("POST", path, json=body))

    assert document["version"] == 1


def test_one_project_is_found_with_and_without_the_slash(client: FlaskClient, project_id: str) -> None:
    without, with_slash = client.get(f"/projects/{project_id}"), client.get(f"/projects/{project_id}/")

    assert assert_success(without) == assert_success(with_slash)


def test_one_timeline_is_found_with_and_without_the_slash(client: FlaskClient, project_id: str) -> None:
    save(client, project_id, make_state())

    without, with_slash = client.get(f"/timeline/{project_id}"), client.get(f"/timeline/{project_id}/")

    assert assert_success(without) == assert_success(with_slash)
    assert set(without.get_json()["data"]) >= STATE_KEYS


def test_a_video_is_uploaded_with_the_slash_too(client: FlaskClient, project_id: str) -> None:
    form = {"file": (BytesIO(small_mp4_bytes()), "a.mp4", "video/mp4"), "project_id": project_id}

    data = assert_success(client.post("/media/upload/", data=form))

    assert data["project_id"] == project_id


def test_the_root_says_who_answers_and_that_storage_became_permanent(client: FlaskClient) -> None:
    response = client.get("/")

    body = response.get_json()
    assert response.status_code == 200
    assert set(body) == {"message", "version", "docs", "notice"}
    assert body["message"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])
    assert body["docs"] == "/docs"
    assert "permanent" in body["notice"]
    assert "could not be carried over" in body["notice"]


def test_the_health_check_says_just_that(client: FlaskClient) -> None:
    response = client.get("/health")

    assert response.status_code == 200
    assert response.get_json() == {"status": "healthy"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_test_address_answers_with_a_message(client: FlaskClient, method: str) -> None:
    response = client.open("/test", method=method)

    assert response.status_code == 200
    assert set(response.get_json()) == {"message"}


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_is_a_page_for_people(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert "/media/trim-video" in response.get_data(as_text=True)


def test_the_documentation_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs").get_data(as_text=True)

    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert "/docs/swagger-ui-bundle.js" in addresses
    for address in addresses:
        assert address.startswith("/"), address
        with client.get(address) as response:
            assert response.status_code == 200, address
    assert "http" not in client.get("/docs/start.js").get_data(as_text=True)
    assert client.get("/docs/swagger-ui.js").status_code == 404


def test_the_openapi_document_knows_every_resource(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()

    assert document["openapi"].startswith("3.")
    assert document["info"]["title"]
    assert document["info"]["version"] == client.get("/").get_json()["version"]
    methods = {path.rstrip("/"): set(operations) for path, operations in document["paths"].items()}
    assert methods["/projects"] >= {"get", "post"}
    assert methods["/projects/{project_id}"] >= {"get", "put", "delete"}
    assert methods["/media/upload"] == {"post"}
    assert methods["/timeline/{project_id}"] >= {"get"}
    assert methods["/timeline"] >= {"post"}
    assert methods["/timeline/{project_id}/restore/{version}"] == {"post"}


def test_the_log_at_start_says_what_became_of_earlier_projects(make_app: AppMaker, capsys: pytest.CaptureFixture[str]) -> None:
    make_app()

    assert "could not be carried over" in capsys.readouterr().err
