"""Planted faults: which there are, what they do to the code, which tests are asked, and what is remembered."""

from pathlib import Path

import pytest

from tools.mutants.__main__ import Results, line, sample
from tools.mutants.faults import faults, planted
from tools.mutants.trial import Baseline

SOURCE = '''"""A module with 1 number in its text."""
LIMIT: int = 3


@decorated(7)
def inside(x: "4", low: float = -0.5) -> int:
    """Docstring with 5."""
    if x < LIMIT and not x == 0:
        return x**2
    return None


class Thing:
    def value(self, flag: bool = True) -> float:
        return 1 / 2
'''


def test_every_kind_of_fault_is_found_in_code_and_nowhere_else() -> None:
    found = [(fault.line, fault.function, fault.before, fault.after) for fault in faults(SOURCE)]
    assert found == [
        (2, "", "3", "4"),
        (6, "inside", "-0.5", "0.5"),
        (6, "inside", "0.5", "1.5"),
        (8, "inside", "x < LIMIT and (not x == 0)", "not (x < LIMIT and (not x == 0))"),
        (8, "inside", "x < LIMIT and (not x == 0)", "x < LIMIT or not x == 0"),
        (8, "inside", "x < LIMIT", "x <= LIMIT"),
        (8, "inside", "not x == 0", "x == 0"),
        (8, "inside", "x == 0", "x != 0"),
        (8, "inside", "0", "1"),
        (9, "inside", "return x ** 2", "return None"),
        (9, "inside", "x ** 2", "x * 2"),
        (9, "inside", "2", "3"),
        (14, "Thing.value", "True", "False"),
        (15, "Thing.value", "return 1 / 2", "return None"),
        (15, "Thing.value", "1 / 2", "1 * 2"),
        (15, "Thing.value", "1", "2"),
        (15, "Thing.value", "2", "3"),
    ]
    assert len({fault.name for fault in faults(SOURCE)}) == len(found)


def test_planted_code_has_one_fault() -> None:
    source = "def mean(a, b):\n    return (a + b) / 2\n"
    results = {}
    for fault in faults(source):
        space: dict[str, object] = {}
        exec(planted(source, fault, "mean.py"), space)
        mean = space["mean"]
        assert callable(mean)
        results[fault.after] = mean(1, 5)
    assert results == {"return None": None, "(a + b) * 2": 12, "a - b": -2.0, "3": 2.0}


def test_a_fault_that_is_not_there_is_refused() -> None:
    (fault,) = faults("x = 1\n")
    with pytest.raises(ValueError, match="no fault 1:4 1 -> 2"):
        planted("x = True\n", fault, "x.py")


def test_sample_follows_text_and_seed() -> None:
    assert sample(SOURCE, 5, 0) == sample(SOURCE, 5, 0)
    assert sample(SOURCE, 5, 0) != sample(SOURCE, 5, 1)
    assert sample(SOURCE, 99, 0) == faults(SOURCE)


def test_tests_that_call_the_function_come_first_then_others_of_their_files() -> None:
    seconds = {
        "a.py::slow": 9.0, "a.py::fast": 1.0, "a.py::other": 0.1, "b.py::calls": 2.0, "c.py::none": 0.1,
    }  # fmt: skip
    callers = {"m.py": {"mean": ["a.py::slow", "a.py::fast"], "mean.<genexpr>": ["b.py::calls"], "up": []}}
    known = Baseline(seconds, callers, [])
    assert known.order("m.py", "mean") == ["b.py::calls", "a.py::fast", "a.py::slow", "a.py::other"]
    assert known.order("m.py", "") == known.order("m.py", "Thing") == known.order("m.py", "mean")
    assert known.order("m.py", "up") == known.order("n.py", "mean") == []


def test_killed_stays_killed_and_a_survivor_is_tried_with_other_tests(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    killed, survived = ("m", "1f", "1:4 1 -> 2"), ("m", "1f", "2:4 3 -> 4")
    first = Results(file)
    first.add(killed, "tests A", "killed")
    first.add(survived, "tests A", "survived")
    again = Results(file)
    assert [again.find(killed, tests) for tests in ("tests A", "tests B")] == ["killed", "killed"]
    assert [again.find(survived, tests) for tests in ("tests A", "tests B")] == ["survived", None]
    assert again.find(("m", "2e", "1:4 1 -> 2"), "tests A") is None, "the module was changed"


def test_a_row_counts_what_was_noticed() -> None:
    row = line("m", {"a": "killed", "b": "timeout", "c": "survived", "d": "killed"})
    assert row.split() == ["m", "3", "/", "4", "75", "%"]
