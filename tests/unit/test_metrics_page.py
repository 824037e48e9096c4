"""Who may read the numbers, and those that are looked up when somebody does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from projectapi.api.access import AccessLog
from projectapi.errors import all_errors
from projectapi.infra.metrics_page import LOOKED_UP, PrometheusMetrics
from projectapi.stores.database_numbers import DatabaseSizes, JobsTally
from tests.conftest import AppMaker
from tests.errors_shape import assert_error

LookUp = Callable[[], Any]
PRODUCTION = {"app_env": "production", "mongodb_uri": "mongodb://db/"}


def numbers(text: str) -> dict[str, float]:
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def test_the_numbers_are_open_in_development(light_client: FlaskClient) -> None:
    light_client.get("/health")

    answer = light_client.get("/metrics")

    assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, "text/plain")
    assert 'projectapi_requests_total{method="GET",route="/health",status="200"}' in answer.text


@pytest.mark.parametrize("sent", [None, "Bearer wrong", "token", "Basic dG9rZW4="])
def test_a_token_keeps_them_from_everybody_else(make_app: AppMaker, sent: str | None) -> None:
    client = make_app(metrics_token="token").test_client()

    answer = client.get("/metrics", headers={"Authorization": sent} if sent else {})

    assert_error(answer, 401, "metrics_closed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/metrics", headers={"Authorization": "Bearer token"}).status_code == 200


def test_in_production_nobody_reads_them_without_a_token(make_app: AppMaker) -> None:
    client = make_app(**PRODUCTION).test_client()

    assert_error(client.get("/metrics"), 401, "metrics_closed")
    assert_error(client.get("/metrics", headers={"Authorization": "Bearer None"}), 401, "metrics_closed")


def errors_counted() -> dict[tuple[str, str], float]:
    families = [family for family in REGISTRY.collect() if family.name == "projectapi_errors"]
    samples = [sample for family in families for sample in family.samples if sample.name.endswith("_total")]
    return {(sample.labels["status"], sample.labels["code"]): sample.value for sample in samples}


def test_errors_of_ours_are_on_the_page_before_the_first_happens() -> None:
    counted = errors_counted()

    assert {(str(kind.status), kind.code) for kind in all_errors() if kind.status >= 500} <= set(counted)


def gained_errors(before: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    gained = {key: value - before.get(key, 0) for key, value in errors_counted().items()}
    return {key: value for key, value in gained.items() if value}


def test_each_error_is_counted_by_its_code(light_client: FlaskClient) -> None:
    before = errors_counted()

    light_client.get(f"/projects/{'0' * 24}")
    light_client.get("/nothing")
    light_client.delete("/projects")
    light_client.get("/projects")

    assert gained_errors(before) == {("404", "project_not_found"): 1, ("404", "not_found"): 1, ("405", "method_not_allowed"): 1}


def test_a_health_check_that_says_no_is_no_error(light_app: Flask) -> None:
    database = light_app.extensions["projectapi"].schema._database
    database["metadata"].insert_one({"_id": "main", "schemaVersion": 999})
    before = errors_counted()

    status = light_app.test_client().get("/health/ready").status_code

    assert (status, gained_errors(before)) == (503, {})


def test_what_breaks_before_flask_is_an_error_of_ours(make_app: AppMaker) -> None:
    app = make_app()
    log = app.wsgi_app
    assert isinstance(log, AccessLog)
    before = errors_counted()

    def broken(environ: object, start_response: object) -> list[bytes]:
        raise RuntimeError("broken")

    log._answering = broken
    with pytest.raises(RuntimeError):
        app.test_client().get("/projects")

    assert gained_errors(before) == {("500", "internal_error"): 1}


def page_of(media_dir: Path, *, sizes: LookUp = lambda: None, jobs: LookUp = lambda: None, **more: Any) -> PrometheusMetrics:
    return PrometheusMetrics(media_dir=media_dir, sizes=sizes, jobs=jobs, database_limit_bytes=1000, **more)


def test_the_size_of_the_database_is_looked_up_every_ten_minutes(tmp_path: Path) -> None:
    clock = [0.0]
    found = [DatabaseSizes(100, 60, 7), None, DatabaseSizes(300, 200, 9)]
    metrics = page_of(tmp_path, sizes=lambda: found.pop(0), monotonic=lambda: clock[0])

    seen = []
    for moment in (0, 599, 601, 1199, 1202):
        clock[0] = moment
        shown = numbers(metrics.page()[0].decode())
        seen.append([shown[f"projectapi_{name}"] for name in ("database_bytes", "history_bytes", "history_versions")])

    # A size that cannot be had leaves the last one.
    assert seen == [[100, 60, 7]] * 4 + [[300, 200, 9]]


def test_jobs_are_looked_up_anew_after_three_seconds(tmp_path: Path) -> None:
    clock = [0.0]
    found = [{("export", "running"): JobsTally(number)} for number in (1, 2)]
    metrics = page_of(tmp_path, jobs=lambda: found.pop(0), monotonic=lambda: clock[0])

    seen = []
    for moment in (0, 2, 5):
        clock[0] = moment
        seen.append(numbers(metrics.page()[0].decode())["projectapi_jobs"])

    assert seen == [1, 1, 2]


def test_what_was_never_known_is_not_shown_as_nought(tmp_path: Path) -> None:
    shown = numbers(page_of(tmp_path).page()[0].decode())

    unknown = {name for name in LOOKED_UP if "media" not in name} - {"projectapi_database_limit_bytes"}
    assert set(LOOKED_UP) - set(shown) == unknown


def test_the_disk_is_known_before_the_first_upload_makes_its_folder(tmp_path: Path) -> None:
    shown = numbers(page_of(tmp_path / "not" / "there").page()[0].decode())

    assert shown["projectapi_media_total_bytes"] == shutil.disk_usage(tmp_path).total
