"""The page with the documentation, as a browser shows it: its policy must let in all that it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.harness.browser import rendered
from tests.harness.documented_commands import serving


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_browser_shows_every_operation_and_complains_of_nothing(light_app: Flask, tmp_path: Path, path: str) -> None:
    paths = light_app.test_client().get("/openapi.json").get_json()["paths"]

    with serving(light_app) as host:
        shown = rendered(f"http://{host}{path}", tmp_path)

    assert shown.console == []
    assert shown.page.count('class="opblock ') == sum(len(operations) for operations in paths.values())
