"""Values that a field of some type must refuse."""

from __future__ import annotations

from typing import Any

NOT_TEXTS: list[Any] = [7, 1.5, True, [], ["x"], {}, {"$ne": ""}]
NOT_NUMBERS: list[Any] = ["7", True, [], [1], {}, {"$gt": 0}]
TOO_LARGE = 2**63
TOO_SMALL = -(2**63) - 1
