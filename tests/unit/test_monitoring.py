"""Rules, dashboard and runbook speak of numbers that exist and of each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from projectapi.errors import all_errors
from projectapi.infra import metrics
from projectapi.infra.metrics_page import LOOKED_UP

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: package prometheus) is not installed")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    (path,) = (MONITORING / "grafana" / "dashboards").glob("*.json")
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of rules and dashboard, behind the name of where it stands."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def declared() -> dict[str, set[str]]:
    """Every name that the page can show, with the labels that it has there."""
    found: dict[str, set[str]] = {name: set(gauge.labels) for name, gauge in LOOKED_UP.items()}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            labels = set(metric._labelnames)
            kind = metric._type
            if isinstance(metric, Histogram):
                found |= {f"{metric._name}_{end}": labels for end in ("sum", "count")}
                found[f"{metric._name}_bucket"] = labels | {"le"}
            else:
                found[f"{metric._name}_total" if kind == "counter" else metric._name] = labels
    return found


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda value: value[:30])
def test_rules_and_dashboard_name_only_numbers_and_labels_that_exist(where: str, expression: str) -> None:
    known = declared()
    names = set(re.findall(r"\bprojectapi_\w+", expression))
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        labels |= {label.strip() for label in grouped.split(",")}

    assert names <= set(known), where
    assert names or re.search(r"\bup\b", expression)
    assert labels <= set().union(*(known[name] for name in names), {"job"}), where


def test_every_number_is_shown_somewhere() -> None:
    shown = " ".join(expression for _, expression in expressions())
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in declared()}

    assert sorted(family for family in families if not re.search(rf"\b{family}(_bucket|_sum|_count|_total)?\b", shown)) == []


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = {line.lstrip("# ").lower() for line in (ROOT / page).read_text().splitlines() if line.startswith("###")}

    assert anchor == rule["alert"].lower()
    assert anchor in headings
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_alert_is_seen_to_fire_and_to_stay_silent() -> None:
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}

    assert fires == silent == {rule["alert"] for rule in alerts()}


def test_what_counts_as_a_failure_is_said_alike_everywhere() -> None:
    said = [re.findall(r'code!~"([^"]*)"', expression) for _, expression in expressions()]
    (left_out,) = {codes for found in said for codes in found}

    # Each is an answer of its own with a status of trouble: a name that was changed would be a failure from then on.
    assert set(left_out.split("|")) <= {kind.code for kind in all_errors() if kind.status >= 500}
    assert [f"`{code}`" for code in left_out.split("|")] == re.findall(r"`\w+`", left_out_by_the_guide())


def left_out_by_the_guide() -> str:
    (line,) = [line for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if "The alerts leave out" in line]
    return line.partition("The alerts leave out")[2]


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    done = subprocess.run([str(PROMTOOL), "test", "rules", "alerts_test.yml"], cwd=MONITORING, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_its_configuration() -> None:
    command = [str(PROMTOOL), "check", "config", "--syntax-only", "prometheus.yml"]

    done = subprocess.run(command, cwd=MONITORING, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    # Recorded under any name, since promtool checks rules and not dashboards.
    rules = [
        {"record": f"panel:{number}", "expr": target["expr"].replace("$__rate_interval", "5m")}
        for number, target in enumerate(target for panel in panels() for target in panel["targets"])
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_starts_both_on_request_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    on_request = {name for name, service in services.items() if service.get("profiles") == ["monitoring"]}

    assert on_request == {"prometheus", "grafana"}
    assert services["prometheus"]["environment"]["METRICS_TOKEN"] == services["app"]["environment"]["METRICS_TOKEN"]
    mounted = [volume.split(":")[0] for name in ("prometheus", "grafana") for volume in services[name]["volumes"]]
    assert [path for path in mounted if path.startswith(".") and not (ROOT / path).exists()] == []
