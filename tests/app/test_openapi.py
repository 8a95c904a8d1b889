"""Both servers against what they say of themselves: generated requests, sound and unsound (schemathesis)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed (a development dependency)")
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from pairvae.app.applications import page
from pairvae.app.guard import Guard, Rules
from pairvae.app.model_choice import Models

pytestmark = pytest.mark.slow
EXAMPLES = 60
OPERATIONS = 7


def asked(operation: Any, mode: GenerationMode, content: bytes, codes: Counter[int]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and sum(codes.values()) % 2:  # else few get past the modality
            named = {"source", "modality"} & {one.name for one in operation.query}
            case.query.update(dict.fromkeys(named, "saxs"))
            case.body = content if operation.method == "post" else case.body
        answer = case.call()
        codes[answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    each()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_description_names(
    models: Models, pattern: Path, mode: GenerationMode
) -> None:
    # Names of its own are those of no browser, so they are let in here; the guard has tests of its own.
    app = Guard(page(models), Rules(hosts=frozenset({"localhost", "testserver"})))
    described = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == OPERATIONS
    codes: Counter[int] = Counter()
    for operation in operations:
        if mode is GenerationMode.POSITIVE or list(operation.query):
            asked(operation, mode, pattern.read_bytes(), codes)
    print(f"schemathesis, {mode.value}: {sum(codes.values())} requests, answers {dict(codes)}")
    assert sum(codes.values()) > EXAMPLES
