from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.reports import page
from pairvae.reports.content import ReportContent
from pairvae.reports.encode import png_picture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--window-size=1400,1000",
    "--virtual-time-budget=10000",
    "--dump-dom",
]
PROBE = """<iframe src="index.html" style="width:{width}px;height:900px;border:0"></iframe><pre></pre><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const broken = [...page.images].filter(image => !image.complete || !image.naturalWidth).length;
  const found = ["images", page.images.length, "broken", broken, "over", root.scrollWidth - root.clientWidth];
  document.querySelector("pre").textContent = found.join(" ");
}};
</script>"""


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


def test_the_answer_comes_first(html: str, content: ReportContent) -> None:
    value = f"{content.metrics['splits']['validation']['pair']['saxs_sem']['s2_mae']['median']:#.3g}"
    assert value in html[html.index("<body>") : html.index("<nav")]
    assert "unbiased estimator" in html


def test_ids_and_facts_are_escaped(content: ReportContent) -> None:
    nasty = replace(content.examples[0], id="<script>alert(1)</script>")
    few = ReportContent({}, {}, [nasty], {}, facts={"pairs": "<b>8</b>"})
    html = page.render(few, 64)
    assert "<script>" not in html
    assert "&lt;b&gt;8&lt;/b&gt;" in html


def test_an_almost_empty_run_still_gives_a_page(tmp_path: Path) -> None:
    html = page.write_report(ReportContent({}, {}, [], {}), tmp_path).read_text()
    assert "No validation pair was scored" in html
    assert "<h2>Scores</h2>" not in html


def test_pictures_shrink_until_the_page_fits(
    content: ReportContent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    noisy = replace(
        content.examples[0], saxs=generator.random((3, 200, 200), dtype=np.float32), curves={}, images={}
    )
    few = ReportContent({}, {}, [noisy], {})
    full = len(page.render(few, 256))
    monkeypatch.setattr(page, "LARGEST_PAGE", full // 2)
    written = page.write_report(few, tmp_path).stat().st_size
    assert written <= full // 2


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


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [400, 1280])
def test_a_browser_shows_all_pictures_without_sideways_scrolling(report: Path, width: int) -> None:
    probe = report.with_name("probe.html")
    probe.write_text(PROBE.format(width=width))
    command = [str(CHROMIUM), *FLAGS, probe.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert re.search(r"images [1-9]\d* broken 0 over 0<", done.stdout)
    assert "CONSOLE" not in done.stderr
