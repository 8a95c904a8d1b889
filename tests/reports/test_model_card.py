from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pairvae.reports.model_card import FILE, description_of, model_card, write_model_card
from pairvae.reports.report_data import ReportData


def test_the_card_has_every_section(content: ReportData, tmp_path: Path) -> None:
    write_model_card(content, tmp_path / FILE)
    card = (tmp_path / FILE).read_text()
    sections = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert sections == [
        "Answer", "Model", "Training data", "Training", "Scores", "Intended use", "Limits", "Licence", "Lineage",
    ]  # fmt: skip
    assert "floor: crop to crop" in card
    assert "SAXS → SEM, retrieval" in card
    assert "morphologies: alternating_lines, hexagonal, ladders, skew" in card
    assert "train-pair: 120 epochs" in card


def test_warnings_are_in_the_card(content: ReportData) -> None:
    metrics = {**content.metrics, "warnings": [{"name": "leakage", "text": "3 and 7"}]}
    assert "* **leakage**: 3 and 7" in model_card(replace(content, metrics=metrics))


def test_the_description_is_the_beginning_and_short(content: ReportData) -> None:
    card = model_card(content)
    text = description_of(card)
    assert text and card.split("## Answer\n\n")[1].startswith(text.splitlines()[0]), "the answer first"
    assert "## Training data" in text
    assert "## Scores" not in text
    assert len(description_of("x" * 9000)) == 5000


def test_an_almost_empty_run_has_a_card() -> None:
    card = model_card(ReportData({}, {}, [], {}))
    assert "No validation pair was scored" in card
    assert "## Scores" not in card


def test_labels_and_names_from_outside_are_shown_as_text(content: ReportData) -> None:
    label = "<img src=x onerror=alert(1)> | [a](javascript:b) `c` *d*\n# e"
    assert content.latents is not None
    labelled = replace(
        content,
        facts={**content.facts, "data": label, label: label},
        latents={**content.latents, "morphology": [label] * len(content.latents["morphology"])},
        metrics={**content.metrics, "preset": label, "warnings": [{"name": label, "text": label}]},
    )
    card = model_card(labelled)
    for text in (card, description_of(card)):
        assert "&lt;img src=x onerror=alert(1)&gt; \\| \\[a\\](javascript:b) \\`c\\` \\*d\\*\\\\n# e" in text
        assert "<img" not in text
        assert "](" not in text.replace("\\](", "")
        assert not any(line.startswith("# e") for line in text.splitlines())
