"""The first screen: samples and not scores are counted, and every method that is as good is named."""

from __future__ import annotations

from pairvae.reports.answer import answer_tables, headline
from pairvae.reports.report_data import ReportData


def test_the_answer_counts_samples_and_names_what_is_not_told_apart(content: ReportData) -> None:
    answer = headline(content.metrics)
    median = content.metrics["splits"]["validation"]["pair"]["saxs_sem"]["s2_mae"]["median"]
    assert answer.sentences[0] == (
        "On 24 samples that no training saw, 20 images drawn for a SAXS pattern have an energy score of 0.00800 in "
        "S(r), 1.38 times that of other true crops (the floor)."
    )
    assert answer.sentences[1].startswith("One image predicted") and f"{median:#.3g}" in answer.sentences[1]
    assert answer.sentences[2:] == (
        "By the energy score, the best is the paired model; not told apart from it: dual VAE.",
        "By single images, the best is direct regression; not told apart from it: the paired model.",
        "From SEM to SAXS, by pixels, the best is retrieval, better than every other method; the paired model is "
        "worse.",
        "A classifier tells predicted images from true crops with an AUC of 0.80 (0.5: it cannot; true crops among "
        "themselves: 0.48).",
    )
    assert [number for _, number, _ in answer.numbers] == ["0.00800", "0.00870", "0.00580"]


def test_what_was_not_scored_is_not_claimed() -> None:
    assert headline({}).sentences == ("No validation pair was scored from SAXS to SEM in this run.",)
    leaf = {"median": 0.01, "q1": 0.0, "q3": 0.1, "n": 240}
    alone = headline({"splits": {"validation": {"pair": {"saxs_sem": {"s2_mae": leaf}}}}})
    assert len(alone.sentences) == 1 and "240" not in alone.sentences[0]
    assert answer_tables({"splits": {"validation": {"pair": {}}}}) == []


def test_ensembles_are_listed_from_the_best_on_with_the_floor_last(content: ReportData) -> None:
    ensembles, realism = answer_tables(content.metrics)
    assert [row[0] for row in ensembles.rows][:2] == ["paired model", "dual VAE"]
    assert ensembles.rows[-1][0] == "floor: crop to crop"
    assert ensembles.rows[0][1:5] == ("20", "0.00800 (× 1.38)", "0.00400 (× 1.38)", "1.38")
    assert ensembles.marked == {0, 1}
    assert realism.rows[0] == ("SAXS → SEM", "0.800", "0.700", "0.480")
