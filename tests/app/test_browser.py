"""The page in a real headless Chromium, wide and narrow: upload, result, a bad file, the latent plane."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pairvae.app.applications import STATIC, page
from pairvae.app.guard import App
from pairvae.app.model_choice import Choice, Models, models_of
from pairvae.app.server import Address, rules_for
from reports.browser import CHROMIUM, Tab, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
WIDTHS = (1280, 400)
SCREENSHOTS = os.environ.get("PAIRVAE_SCREENSHOTS")  # a folder to look at them


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def two_models(tiny_pair: Path) -> Models:
    """Champion and candidate; a folder named in PAIRVAE_PROJECT shows its own."""
    given = os.environ.get("PAIRVAE_MODEL")
    folder = given or str(tiny_pair / "models" / "train-pair")
    scores = {"saxs_sem.s2_mae": 0.01234, "sem_saxs.mae": 0.05}
    better = {"saxs_sem.s2_mae": 0.01, "sem_saxs.mae": 0.06}
    return Models({"champion": Choice(folder, "champion (version 1)", scores),
                   "candidate": Choice(folder, "candidate (version 2)", better)})  # fmt: skip


class Page(Tab):
    """A tab with the page in it."""

    def __init__(self, browser: Browser, address: str, width: int, dark: bool) -> None:
        super().__init__(browser, address, width, dark=dark)
        self.until("document.querySelectorAll('#sources input').length > 1")

    def choose(self, file: Path) -> None:
        self.page.set_input_files("#file", file)

    def show(self, name: str) -> None:
        if SCREENSHOTS:
            self.picture(Path(SCREENSHOTS) / f"{name}.png")


Open = Callable[[int, bool], Page]


@pytest.fixture
def opened(browser: Browser, two_models: Models, started: Callable[..., str]) -> Open:
    app: App = page(two_models)
    address = started(app, rules_for(Address(), None, frozenset(STATIC), 8))
    return lambda width, dark: Page(browser, address, width, dark)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_measurement_in_a_prediction_out(
    opened: Open, width: int, dark: bool, pattern: Path, micrograph: Path
) -> None:
    one = opened(width, dark)
    one.show(f"start-{width}-{dark}")
    begun = time.monotonic()
    one.choose(pattern)
    # the pattern, the best guess, the spread, six samples, three measured images
    one.until("document.querySelectorAll('#results img').length === 12")
    print(f"app: first result at {width} px after {time.monotonic() - begun:.2f} s")
    one("Promise.all([...document.images].map(image => image.decode())).then(() => 0)")
    assert pattern.name in one("document.querySelector('#results h2').textContent")
    assert one("document.querySelectorAll('#results svg .mean').length") == 1
    assert one("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
    assert one("document.getElementById('problem').hidden")
    assert one.fits()
    one.show(f"saxs-{width}-{dark}")
    assert one("document.getElementById('nm_per_px-label').hidden")
    one.choose(micrograph)  # the page knows what it is
    one.until("document.querySelector('#results h2')?.textContent.startsWith('SAXS')")
    assert one("document.querySelector('input[value=sem]').checked")
    assert one("!document.getElementById('nm_per_px-label').hidden")
    assert one.fits()
    one.show(f"sem-{width}-{dark}")
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in one.requests)
    assert [told for told in one.complaints if "400" not in told] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_bad_file_is_told_in_one_line(opened: Open, width: int, tmp_path: Path) -> None:
    one, bad = opened(width, False), tmp_path / "<img src=x onerror=alert(1)>.png"
    bad.write_text("no image")
    one.choose(bad)
    one.until("!document.getElementById('problem').hidden")
    told = one("document.getElementById('problem').textContent")
    assert "expected" in told and "a text file" in told and bad.name in told
    assert one("document.querySelectorAll('#results img, #problem img').length") == 0
    assert one.fits()
    one.show(f"bad-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_click_on_the_latent_plane_gives_both_images(opened: Open, width: int) -> None:
    one = opened(width, False)
    one("document.getElementById('tab-latent').click()")
    one.until("document.querySelectorAll('#plane .dot').length > 3")
    one.page.locator("#plane .dot").nth(2).click()
    one.until("document.querySelectorAll('#point img').length === 2")
    assert one.fits()
    one.show(f"latent-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_champion_and_candidate_stand_side_by_side(opened: Open, width: int, pattern: Path) -> None:
    one = opened(width, False)
    one("document.getElementById('compare').click()")
    one.choose(pattern)
    one.until("document.querySelectorAll('#results article').length === 2")
    one("document.querySelector('details').open = true")
    titles = one("[...document.querySelectorAll('#results h2')].map(one => one.textContent).join()")
    assert "champion" in titles and "candidate" in titles
    assert one("document.querySelectorAll('#results td.best').length") == 2
    assert one.fits()
    one.show(f"compare-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_start_says_what_to_drop_and_a_complaint_stays_in_its_view(opened: Open, width: int) -> None:
    one = opened(width, False)
    assert "SAXS pattern or SEM image" in one("document.getElementById('drop').innerText")
    one("document.getElementById('tab-next').click()")
    one.until("!document.getElementById('problem').hidden")  # a model folder alone has no samples to suggest
    one("document.getElementById('tab-predict').click()")
    assert one("document.getElementById('problem').hidden")
    assert one.fits()


def test_the_download_is_a_zip(opened: Open, pattern: Path) -> None:
    one = opened(1280, False)
    one.choose(pattern)
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.endswith("-predicted.zip")


def test_a_token_in_the_address_is_used_and_hidden(
    browser: Browser, two_models: Models, started: Callable[..., str]
) -> None:
    rules = rules_for(Address(), "a-token-of-our-own", frozenset(STATIC), 8)
    one = Page(browser, f"{started(page(two_models), rules)}/#token=a-token-of-our-own", 1280, False)
    assert "token" not in one("location.href")


def test_a_model_of_the_folder_is_offered_alone(tiny_pair: Path) -> None:
    assert list(models_of(str(tiny_pair / "models" / "train-pair")).choices) == ["model"]
