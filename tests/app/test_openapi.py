"""Both servers against what they say of themselves: generated requests, sound and unsound (schemathesis)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed (a development dependency)")
import schemathesis
from hypothesis import HealthCheck, settings

from pairvae.app.models import Models, models_of
from pairvae.app.page import page

pytestmark = pytest.mark.slow
EXAMPLES = 60


@pytest.fixture
def described(models: Models) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", page(models))


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_answer_is_one_that_the_description_names(case: Any) -> None:
    answer = case.call()
    assert answer.status_code < 500, answer.text
    case.validate_response(answer, excluded_checks=[schemathesis.checks.not_a_server_error])


def test_the_tiny_model_is_the_one_that_is_asked(tiny_pair: Path) -> None:
    assert models_of(str(tiny_pair / "models" / "train-pair")).first == "model"
