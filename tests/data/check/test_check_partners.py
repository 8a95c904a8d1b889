"""Whether patterns and micrographs belong together: single pairs, all of them, and none told without reason."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.data.check.file_contents import FileSummary
from pairvae.data.check.folder import check_folder, prepare_sections
from pairvae.data.check.partners import partners
from pairvae.data.check.problems import Limits
from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.numerics.scattering import RingAndArcs
from pairvae.settings import resolve

LIMITS = Limits({"sem": resolve({}).sem.prepare})
NM, Q = 2.9, 0.004
SAMPLES = 20


def arcs(angle: float, width: float) -> np.ndarray:
    """(90,) of unit sum: intensity around ``angle`` degrees."""
    turn = np.radians(2 * (np.arange(90) * 2 - angle))
    found = np.exp((np.cos(turn) - 1) / width)
    return np.asarray(found / found.sum())


def facts(seed: int = 0, count: int = SAMPLES, spread: float = 0.05, angles: float = 60) -> list[FileSummary]:
    """Images and patterns of ``count`` samples whose spacings and directions differ, measured with a little noise."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        q = 0.15 * np.exp(spread * generator.normal())
        angle, width = angles * generator.normal(), generator.uniform(0.3, 0.6)

        def seen(scale: float) -> RingAndArcs:
            jitter = 1 + 0.005 * generator.normal()
            return RingAndArcs(q * jitter / scale, arcs(angle + generator.normal(), width))  # noqa: B023

        for side, scale in (("sem", 1 / NM), ("saxs", Q)):
            ends = (seen(scale), seen(scale)) if side == "sem" else None
            found.append(fact(str(number), side, NM if side == "sem" else Q, seen(scale), ends))
    return found


def fact(
    pair: str, side: str, scale: float, scattering: RingAndArcs, parts: tuple[RingAndArcs, RingAndArcs] | None
) -> FileSummary:
    return FileSummary(
        pair, side, f"{side}/{pair}", "", (640, 640), "uint8", "png", None, 9, 0.0, 0.0, 0, False, None, None,
        scale, scattering=scattering, parts=parts, turned=(quarter(scattering), quarter(scattering)),
    )  # fmt: skip


def patterns_of(found: list[FileSummary], order: np.ndarray) -> list[FileSummary]:
    """The same with the patterns dealt to the pairs in another order."""
    patterns = [one for one in found if one.side == "saxs"]
    dealt = [replace(patterns[int(place)], pair=one.pair) for place, one in zip(order, patterns, strict=True)]
    return [one for one in found if one.side == "sem"] + dealt


def quarter(ring: RingAndArcs) -> RingAndArcs:
    return RingAndArcs(ring.ring, np.roll(ring.arcs, 45))


def turned(one: FileSummary) -> FileSummary:
    assert one.scattering is not None
    return replace(one, scattering=quarter(one.scattering), turned=(one.scattering, one.scattering))


def kinds(found: list[FileSummary]) -> list[tuple[str, str]]:
    return sorted((problem.kind, problem.pair) for problem in partners([], found, LIMITS))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("spread", "angles"), [(0.05, 60), (0.0, 0.0), (0.05, 0.0), (0.0, 60)])
def test_sound_pairs_are_silent_whatever_differs_among_them(seed: int, spread: float, angles: float) -> None:
    assert kinds(facts(seed, 20, spread, angles)) == kinds(facts(seed, 8, spread, angles)) == []


@pytest.mark.parametrize(
    "order", [np.random.default_rng(3).permutation(SAMPLES), np.roll(np.arange(SAMPLES), 1)]
)
@pytest.mark.parametrize(("spread", "angles"), [(0.05, 0.0), (0.0, 60), (0.05, 60)])
def test_shuffled_pairs_are_told_once(order: np.ndarray, spread: float, angles: float) -> None:
    assert kinds(patterns_of(facts(0, SAMPLES, spread, angles), order)) == [("shuffled pairs", "")]


def test_two_swapped_partners_are_named() -> None:
    found = facts()
    q = {one.pair: one.scattering.ring for one in found if one.side == "saxs" and one.scattering}
    low, high = min(q, key=lambda pair: q[pair]), max(q, key=lambda pair: q[pair])
    order = np.arange(SAMPLES)
    order[[int(low), int(high)]] = order[[int(high), int(low)]]
    swapped = patterns_of(found, order)
    assert kinds(swapped) == sorted([("partner", low), ("partner", high)])
    texts = {problem.pair: problem.message for problem in partners([], swapped, LIMITS)}
    assert f"The pattern of pair {high} fits better" in texts[low]


def test_a_ring_of_neighbours_that_lost_their_order_is_named() -> None:
    order = np.arange(SAMPLES)
    order[4:9] = np.roll(order[4:9], 1)
    told = kinds(patterns_of(facts(), order))
    assert {kind for kind, _ in told} == {"partner"}
    assert {pair for _, pair in told} <= set("45678") and len(told) >= 3


def test_one_turned_pattern_and_all_of_them() -> None:
    found = facts()
    one = [turned(fact) if (fact.side, fact.pair) == ("saxs", "4") else fact for fact in found]
    assert kinds(one) == [("turned pattern", "4")]
    assert kinds([turned(fact) if fact.side == "saxs" else fact for fact in found]) == [
        ("turned patterns", "")
    ]


def test_scales_that_disagree_with_two_pi_over_q() -> None:
    wrong = [replace(one, scale=10 * Q) if one.side == "saxs" else one for one in facts()]
    assert kinds(wrong) == [("scales disagree", "")]
    unknown = [replace(one, scale=None) if one.side == "saxs" else one for one in facts()]
    assert kinds(unknown) == []


def test_few_pairs_are_not_judged() -> None:
    found = patterns_of(facts(count=7), np.roll(np.arange(7), 1))
    assert kinds(found) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_simulated_pairs_are_silent_and_spoilt_ones_are_told(seed: int, tmp_path: Path) -> None:
    """False alarms and hits on files as instruments write them, 24 pairs a seed."""
    folder, settings = tmp_path / "raw", resolve({})

    def found() -> set[str]:
        report = check_folder(folder, prepare_sections(settings))
        return {problem.kind for problem in report.problems}

    simulate(folder, pairs=24, seed=seed)
    assert found() == set()
    pairs = read_pairs(folder)
    write_pairs(
        folder / "pairs.csv", [replace(one, saxs=pairs[row - 1].saxs) for row, one in enumerate(pairs)]
    )
    assert found() == {"shuffled pairs"}
    write_pairs(folder / "pairs.csv", pairs)
    for spoil, kind in (
        (lambda a: np.roll(a, 6, 1), "beam centre"),
        (lambda a: np.rot90(a), "turned patterns"),
    ):
        shutil.copytree(folder / "SAXS", tmp_path / "kept", dirs_exist_ok=True)
        for file in sorted((folder / "SAXS").iterdir())[: 4 if kind == "beam centre" else None]:
            picture = cv2.imread(str(file))
            assert picture is not None
            cv2.imwrite(str(file), spoil(picture))
        assert kind in found()
        shutil.copytree(tmp_path / "kept", folder / "SAXS", dirs_exist_ok=True)
