"""One micrograph under every threshold."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pairvae.cli import app
from pairvae.data.check.preview import Choice, preview, recommend, render, write_preview
from pairvae.errors import InputError
from pairvae.settings import resolve

SEM = resolve({}).sem.prepare


def folder(path: Path, image: np.ndarray) -> Path:
    for name in ("SAXS", "SEM"):
        (path / name).mkdir(parents=True)
        for pair in ("a", "b"):
            cv2.imwrite(str(path / name / f"{pair}.png"), image)
    return path


def stripes(period: int, noise: float = 12) -> np.ndarray:
    wave = np.where(np.arange(400) % period < period // 2, 70, 180)
    return np.clip(wave + np.random.default_rng(0).normal(0, noise, (300, 400)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("period", "threshold"), [(12, "adaptive"), (80, "otsu")])
def test_the_sound_choice_is_recommended_with_fraction_and_spacing(
    period: int, threshold: str, tmp_path: Path
) -> None:
    result = preview(folder(tmp_path / "mine", stripes(period)), SEM, "b")
    assert result.source.endswith("SEM/b.png")
    chosen = result.recommended
    assert chosen is not None and chosen.threshold == threshold
    assert chosen.fraction == pytest.approx(0.5, abs=0.05)
    assert chosen.spacing_px == pytest.approx(period, rel=0.1)
    assert {choice.threshold for choice in result.choices} == {"adaptive", "otsu", "li", "sauvola"}
    assert {choice.shading for choice in result.choices} == {False, True}


def test_pure_noise_has_no_recommendation(tmp_path: Path) -> None:
    noise = np.clip(np.random.default_rng(0).normal(128, 20, (300, 400)), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), noise)
    result = preview(tmp_path / "a.png", SEM)
    assert result.recommended is None and "none recommended" in render(result)


def test_the_present_choice_stays_where_it_is_sound() -> None:
    def choice(threshold: str, noise: float, fraction: float = 0.5) -> Choice:
        return Choice(threshold, 15, False, fraction, 9.0, noise, np.zeros((2, 2), np.uint8))

    choices = [choice("adaptive", 0.29), choice("otsu", 0.1), choice("sauvola", 0.0, 0.99)]
    assert recommend(choices, ("adaptive", 15, False)) is choices[0]
    choices[0] = choice("adaptive", 0.6)
    assert recommend(choices, ("adaptive", 15, False)) is choices[1]
    assert recommend([choices[0], choices[2]], ("adaptive", 15, False)) is None


def test_the_command_draws_and_prints_the_line_to_paste(tmp_path: Path) -> None:
    folder(tmp_path / "mine", stripes(80))
    out = tmp_path / "preview.png"
    done = CliRunner().invoke(app, ["data", "preview", str(tmp_path / "mine"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "pairvae repro --set sem.prepare.threshold=otsu" in done.output
    picture = cv2.imread(str(out))
    assert (picture == 255).all(axis=2).any() and (picture != 255).any()


def test_a_pair_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a pair c with a micrograph"):
        preview(folder(tmp_path / "mine", stripes(12)), SEM, "c")


def test_a_written_preview_is_whole(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), stripes(12))
    write_preview(preview(tmp_path / "a.png", SEM), tmp_path / "new" / "p.png")
    assert cv2.imread(str(tmp_path / "new" / "p.png")).shape[2] == 3
