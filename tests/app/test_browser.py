"""The page in a real headless Chromium, wide and narrow: upload, result, a bad file, the latent plane."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pairvae.app.applications import STATIC, page
from pairvae.app.guard import App
from pairvae.app.model_choice import Choice, Models, models_of
from pairvae.app.server import Address, rules_for
from reports.browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
WIDTHS = (1280, 400)
PATIENCE_S = 90.0
SCREENSHOTS = os.environ.get("PAIRVAE_SCREENSHOTS")  # a folder to look at them


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as one:
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


class Page:
    """A tab with the page in it."""

    def __init__(self, browser: Browser, address: str, width: int, dark: bool) -> None:
        self.browser = browser
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.call("Emulation.setEmulatedMedia", features=[scheme])
        browser.events.clear()
        browser.call("Page.navigate", url=address)
        self.until("document.querySelectorAll('#sources input').length > 1")

    def __call__(self, expression: str) -> Any:
        return self.browser.evaluate(expression)

    def until(self, expression: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self(expression):
            assert time.monotonic() < deadline, (expression, self("document.body.innerText"))
            time.sleep(0.05)

    def choose(self, file: Path) -> None:
        node = self.browser.call("Runtime.evaluate", expression="document.getElementById('file')")
        self.browser.call("DOM.setFileInputFiles", files=[str(file)], objectId=node["result"]["objectId"])

    def picture(self, name: str) -> None:
        if SCREENSHOTS:
            self.browser.screenshot(Path(SCREENSHOTS) / f"{name}.png")

    def fits(self) -> bool:
        return bool(self("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


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
    one.picture(f"start-{width}-{dark}")
    begun = time.monotonic()
    one.choose(pattern)
    one.until("document.querySelectorAll('#results img').length === 9")
    print(f"app: first result at {width} px after {time.monotonic() - begun:.2f} s")
    one("Promise.all([...document.images].map(image => image.decode())).then(() => 0)")
    assert pattern.name in one("document.querySelector('#results h2').textContent")
    assert one("document.querySelectorAll('#results svg .mean').length") == 1
    assert one("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
    assert one("document.getElementById('problem').hidden")
    assert one.fits()
    one.picture(f"saxs-{width}-{dark}")
    assert one("document.getElementById('nm_per_px-label').hidden")
    one.choose(micrograph)  # the page knows what it is
    one.until("document.querySelector('#results h2')?.textContent.startsWith('SAXS')")
    assert one("document.querySelector('input[value=sem]').checked")
    assert one("!document.getElementById('nm_per_px-label').hidden")
    assert one.fits()
    one.picture(f"sem-{width}-{dark}")
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in one.browser.requests())
    assert [told for told in one.browser.complaints() if "400" not in told] == []


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
    one.picture(f"bad-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_click_on_the_latent_plane_gives_both_images(opened: Open, width: int) -> None:
    one = opened(width, False)
    one("document.getElementById('tab-latent').click()")
    one.until("document.querySelectorAll('#plane .dot').length > 3")
    box = one("JSON.stringify(document.querySelectorAll('#plane .dot')[2].getBoundingClientRect())")
    place = json.loads(box)
    point = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
    for kind in ("mousePressed", "mouseReleased"):
        one.browser.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **point)
    one.until("document.querySelectorAll('#point img').length === 2")
    assert one.fits()
    one.picture(f"latent-{width}")


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
    one.picture(f"compare-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_start_says_what_to_drop_and_a_complaint_stays_in_its_view(opened: Open, width: int) -> None:
    one = opened(width, False)
    assert "SAXS pattern or SEM image" in one("document.getElementById('drop').innerText")
    one("document.getElementById('tab-next').click()")
    one.until("!document.getElementById('problem').hidden")  # a model folder alone has no samples to suggest
    one("document.getElementById('tab-predict').click()")
    assert one("document.getElementById('problem').hidden")
    assert one.fits()


def test_the_download_is_a_zip(opened: Open, pattern: Path, tmp_path: Path) -> None:
    one = opened(1280, False)
    one.browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    one.choose(pattern)
    one.until("document.querySelectorAll('#results button').length === 1")
    one("document.querySelector('#results button').click()")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*-predicted.zip")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_token_in_the_address_is_used_and_hidden(
    browser: Browser, two_models: Models, started: Callable[..., str]
) -> None:
    rules = rules_for(Address(), "a-token-of-our-own", frozenset(STATIC), 8)
    one = Page(browser, f"{started(page(two_models), rules)}/#token=a-token-of-our-own", 1280, False)
    assert "token" not in one("location.href")


def test_a_model_of_the_folder_is_offered_alone(tiny_pair: Path) -> None:
    assert list(models_of(str(tiny_pair / "models" / "train-pair")).choices) == ["model"]
