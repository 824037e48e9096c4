"""The page of metrics, as a test reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.caller import Caller

Sample = tuple[str, frozenset[tuple[str, str]]]


class Numbers(dict[Sample, float]):
    """All samples of one page."""

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.items() if found == name and wanted <= has)

    def gain(self, before: Numbers, name: str, **labels: str) -> float:
        """Return by how much this sum has grown since an earlier page."""
        return self.total(name, **labels) - before.total(name, **labels)


def numbers_of(port: int, token: str = "") -> Numbers:
    """Read the page, from whichever worker answers, with the token that it may ask for."""
    with Caller([port], "prometheus") as caller:
        reply = caller.call("GET", "/metrics", Authorization=f"Bearer {token}")
    assert reply.status == 200
    families = text_string_to_metric_families(reply.body.decode())
    return Numbers(
        {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}
    )
