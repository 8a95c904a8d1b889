"""The report of SAXS with a technique of images other than SEM: keys, words and pixel size are that technique's."""

import numpy as np

from pairvae.reports.answer import headline, image_of
from pairvae.reports.assessment_data import example, latents, pixel_size
from pairvae.reports.curves import in_order, line_of
from pairvae.reports.pictures import four_way
from pairvae.reports.terminal import score_lines

SUMMARY = {"median": 0.02, "q1": 0.01, "q3": 0.03, "n": 4}
METRICS = {
    "validation_pairs": 4,
    "splits": {
        "validation": {
            "pair": {
                "saxs_saxs": {"mae": SUMMARY},
                "saxs_afm": {"s2_mae": SUMMARY},
                "afm_saxs": {"mae": SUMMARY},
            },
            "floor": {"afm_afm": {"s2_mae": SUMMARY}},
        }
    },
}
FACTS = {
    "modalities": ["saxs", "afm"],
    "examples": ["a"],
    "train": [],
    "pairs": [{"id": "a", "morphology": None, "pixel_sizes": {"afm": 2.5}}],
}


def test_words_are_those_of_the_technique() -> None:
    assert image_of(METRICS) == "afm" and image_of({}) == "sem"
    assert headline(METRICS).numbers[0][0] == "SAXS → AFM, single image"
    assert "SAXS to AFM, S(r) error" in "\n".join(score_lines(METRICS))


def test_example_and_latents_come_from_the_keys_of_the_technique() -> None:
    waves = (np.sin(np.arange(64) / 2)[None] * np.ones((64, 1)) / 2 + 0.5).astype(np.float32)
    arrays = {
        "saxs": np.zeros((1, 3, 8, 8)),
        "afm": waves[None],
        "image/pair/saxs_afm": waves[None],
        "latent_saxs": np.zeros((1, 2)),
        "latent_afm": np.ones((1, 2)),
    }
    shown = example(arrays, FACTS, 0)
    assert [caption for caption, _ in four_way(shown, "pair")] == ["true SAXS", "true AFM", "SAXS → AFM"]
    assert latents(arrays, FACTS)["technique"] == "afm"
    assert pixel_size(FACTS["pairs"], "afm") == 2.5  # type: ignore[arg-type]


def test_curves_of_any_technique_have_their_lines() -> None:
    assert line_of("pair/saxs_afm") == "pair/other" and line_of("solo/afm_afm") == "solo/same"
    keys = {key: np.zeros(1) for key in ("pair/saxs_afm", "floor_low", "pair/afm_afm", "true")}
    assert in_order(keys) == ["true", "pair/afm_afm", "pair/saxs_afm"]
