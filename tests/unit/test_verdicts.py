"""What the fault tests say of a run follows from the answers that their clients saw."""

from __future__ import annotations

from tests.harness.verdicts import OK, PATIENCE_SECONDS, Answer, Fault, Operation, Tally


def test_service_is_normal_again_when_reads_and_writes_succeed_and_nothing_has_failed_since() -> None:
    tally = Tally(answers=[Answer("read", 9.0, 10.5, OK), Answer("read", 10.2, 10.3, OK)])
    assert tally.recovered_at(10.0) is None

    tally.answers += [Answer("write", 10.1, 10.4, OK), Answer("read", 10.5, 10.9, "503 database_unavailable")]
    assert tally.recovered_at(10.0) == 10.9


def test_an_answer_that_says_to_be_stale_is_good_and_not_normal() -> None:
    stale = Answer("read", 1.0, 1.1, OK, source="STALE")

    assert stale.is_good and not stale.is_normal


def test_only_reads_that_began_while_something_was_broken_count_for_the_cached_ones() -> None:
    fault = Fault(mongodb_away=True, started=5.0, ended=6.0)
    answers = [Answer("read", at, at + 0.1, OK, is_cached=True) for at in (4.9, 5.0, 5.9, 6.0)]
    failed = Answer("read", 5.5, 5.6, "503 database_unavailable", is_cached=True)

    assert Tally(answers=[*answers, failed], faults=[fault]).cached_reads_during_faults() == (3, 2)


def test_the_table_never_rounds_a_failure_away() -> None:
    operations = [Operation("write", 1, 0.1)] * 99_999 + [Operation("write", 9, PATIENCE_SECONDS + 1)]
    tally = Tally(answers=[Answer("read", 0.0, 0.1, OK)], operations=operations)

    assert tally.row()["operations, done"] == "99.99 % of 100,000"
    assert tally.row()["done by repeating"] == "0 of 1"
