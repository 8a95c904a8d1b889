from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser

from pairvae.reports import page
from pairvae.reports.encode import png_picture
from pairvae.reports.report_data import ReportData
from reports.browser import CHROMIUM, Tab, chromium


@pytest.fixture
def html(report: Path) -> str:
    return report.read_text(encoding="utf-8")


def test_the_page_asks_for_nothing_outside_itself(html: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in html
    assert "@import" not in html


def test_links_lead_to_sections(html: str) -> None:
    for target in re.findall(r'href="#([^"]*)"', html):
        assert f'id="{target}"' in html


def test_every_picture_has_words(html: str) -> None:
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) > 40
    assert all(re.search(r'alt="[^"]+"', image) for image in images)


def test_the_answer_comes_first(html: str, content: ReportData) -> None:
    value = f"{content.metrics['splits']['validation']['pair']['saxs_sem']['s2_mae']['median']:#.3g}"
    assert value in html[html.index("<body>") : html.index("<nav")]
    assert "unbiased estimator" in html


def test_ids_and_facts_are_escaped(content: ReportData) -> None:
    nasty = replace(content.examples[0], id="<script>alert(1)</script>")
    few = ReportData({}, {}, [nasty], {}, facts={"pairs": "<b>8</b>"})
    html = page.render(few, 64)
    assert "<script>" not in html
    assert "&lt;b&gt;8&lt;/b&gt;" in html


def test_an_almost_empty_run_still_gives_a_page(tmp_path: Path) -> None:
    html = page.write_report(ReportData({}, {}, [], {}), tmp_path).read_text()
    assert "No validation pair was scored" in html
    assert "<h2>Scores</h2>" not in html


def test_new_and_foreign_keys_of_the_metrics_do_no_harm(content: ReportData) -> None:
    metrics = copy.deepcopy(dict(content.metrics))
    validation = metrics["splits"]["validation"]
    leaf = {"median": 0.7, "q1": 0.6, "q3": 0.8, "n": 24, "interval": [0.65, 0.75]}
    validation["whole"] = {"sem_saxs": {"mae": leaf, "ssim_error": leaf, "a_score_of_tomorrow": leaf}}
    validation["baselines"]["oracle"] = {"saxs_sem": {"s2_mae": leaf}}
    validation["note"] = "text"
    validation["pair"]["saxs_sem"]["histogram"] = [1, 2, 3]
    metrics["warnings"] = [{"name": "leakage", "text": "samples 3 and 7 are alike"}]
    metrics["comparisons"] = {
        "retrieval": {"saxs_sem": {"s2_mae": {"median_difference": -0.002, "interval": [-0.003, -0.001],
                                              "p": 0.0004, "better": 0.9, "n": 24}}}
    }  # fmt: skip
    metrics["leakage"] = {"sem": {"p": 0.375}}
    metrics["tomorrow"] = {"a": [1, {"b": None}]}
    html = page.render(replace(content, metrics=metrics), 64)
    assert "a score of tomorrow" in html
    assert "paired model (whole image)" in html
    assert "95 % 0.650 to 0.750" in html
    assert html.index("samples 3 and 7 are alike") < html.index("<nav")
    assert "&lt; 0.001" in html
    assert "0.375" in html


def test_the_study_stands_beside_the_published_medians(html: str) -> None:
    assert "published, real data, all images, periodic S(r)" in html
    assert "0.0145" in html


def test_corrections_stand_with_their_targets_or_the_reason_for_none(html: str) -> None:
    assert (
        '<th scope="row">length scale</th><td>variance</td><td>0.500</td><td>1.02</td><td>1.00</td>' in html
    )
    assert "not applied: switched off" in html


def test_pictures_shrink_until_the_page_fits(
    content: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    noisy = replace(
        content.examples[0], saxs=generator.random((3, 200, 200), dtype=np.float32), curves={}, images={}
    )
    few = ReportData({}, {}, [noisy], {})
    full = page.write_report(few, tmp_path / "full").stat().st_size
    monkeypatch.setattr(page, "LARGEST_PAGE", int(0.8 * full))
    assert page.write_report(few, tmp_path / "small").stat().st_size <= 0.8 * full


def test_png_keeps_colours_and_black_and_white() -> None:
    image = np.zeros((3, 8, 8), np.float32)
    image[0] = 1.0  # red
    picture = png_picture(image, "", "red", 64)
    decoded = cv2.imdecode(
        np.frombuffer(base64.b64decode(picture.uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR
    )
    assert decoded is not None
    assert decoded[0, 0].tolist() == [0, 0, 255]  # blue, green, red
    checks = np.indices((16, 16)).sum(0) % 2
    small = png_picture(checks, "", "checks", 8)
    assert (small.width, small.height) == (8, 8)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_browser_shows_the_whole_page(browser: Browser, report: Path, width: int, dark: bool) -> None:
    tab = Tab(browser, report.as_uri(), width, dark=dark)
    tab("document.querySelectorAll('details').forEach(one => one.open = true)")
    shown, blank, over = tab(
        "[document.images.length, [...document.images].filter(image => !image.naturalWidth).length,"
        " document.documentElement.scrollWidth - document.documentElement.clientWidth]"
    )
    assert shown > 60
    assert blank == 0
    assert over <= 0, "the page scrolls sideways"
    assert tab.complaints == []
    outside = [address for address in tab.requests if not address.startswith("data:")]
    assert outside == [report.as_uri()]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_browser_test_can_fail(browser: Browser, tmp_path: Path) -> None:
    page_ = tmp_path / "bad.html"
    page_.write_text(
        "<meta name=viewport content='width=device-width'><div style='width:900px'>wide</div>"
        "<img src='missing.png'><script>console.error('no'); missing()</script>"
    )
    tab = Tab(browser, page_.as_uri(), 400)
    assert tab("document.images[0].naturalWidth") == 0
    assert tab("document.documentElement.scrollWidth") > 400
    assert len(tab.complaints) >= 3
    assert any(address.endswith("missing.png") for address in tab.requests)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_prints(browser: Browser, report: Path, tmp_path: Path) -> None:
    Tab(browser, report.as_uri(), 1280).page.pdf(path=tmp_path / "page.pdf", format="A4")
    written = (tmp_path / "page.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page[^s]", written)) <= 40
