"""What `flask doctor` looks at in the shape of the database: indexes, validators, schema version."""

from __future__ import annotations

from abc import ABC, abstractmethod

from projectapi.errors import ProjectApiError
from projectapi.infra.database_circuit import within
from projectapi.protocols import DatabaseSchema, DatabaseStatus, Diagnosis, State, fail, ok, warn
from projectapi.stores.database_examinations import LOOK_SECONDS, MONGODB
from projectapi.stores.health_checks import SchemaCheck

_SET_UP = "Run `flask db init`."


def _silent() -> Diagnosis:
    return fail("MongoDB did not let it be looked at", "See what this command says about MongoDB and the user's rights.")


class _ShapeExamination(ABC):
    needs = MONGODB

    def __init__(self, schema: DatabaseSchema) -> None:
        self._schema = schema

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            with within(LOOK_SECONDS):
                status = self._schema.status()
        except ProjectApiError:
            return _silent()
        return self._judged(status)

    @abstractmethod
    def _judged(self, status: DatabaseStatus) -> Diagnosis: ...


class Indexes(_ShapeExamination):
    """Whether every index is there."""

    name = "indexes"

    def _judged(self, status: DatabaseStatus) -> Diagnosis:
        missing = [f"{one.name}.{index}" for one in status.collections for index in one.missing_indexes]
        if missing:
            return fail(f"missing: {', '.join(missing)}", _SET_UP)
        return ok("in place")


class Validators(_ShapeExamination):
    """Whether MongoDB itself checks what is written."""

    name = "validators"

    def _judged(self, status: DatabaseStatus) -> Diagnosis:
        if lacking := [one.name for one in status.collections if not one.has_validator]:
            found = f"missing or of another version: {', '.join(lacking)}"
            return warn(found, "Run `flask db init` once as a user with the role dbAdmin; until then only the API checks.")
        return ok("in place")


class SchemaVersion:
    """Whether program and database are of one version."""

    name = "schema version"
    needs = MONGODB

    def __init__(self, schema: DatabaseSchema) -> None:
        self._check = SchemaCheck(schema)

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        finding = self._check.look()
        if finding.state is State.UNKNOWN:
            return _silent()
        code, database = finding.facts["code_version"], finding.facts["database_version"]
        found = f"the program's is {code}, the database's {database or 'not set'}"
        if finding.state is State.HEALTHY:
            return ok(found)
        return (fail if finding.state is State.UNHEALTHY else warn)(found, finding.advice)
