"""Inputs that once brought a traceback, a hang or an endless line, as the edits that make them."""

from contextlib import suppress
from pathlib import Path

import pytest

from fuzz.campaign import made
from fuzz.edits import Edit
from fuzz.targets import TARGETS
from fuzz.watch import told
from pairvae.errors import InputError

CORPUS: list[tuple[str, int, list[Edit]]] = [
    ("cbf", 0, [("flip", False, 239, 0)]),  # FabIO raised Exception itself
    ("edf", 0, [("flip", False, 144, 0)]),  # FabIO raised UnboundLocalError
    ("npy curve", 0, [("double", False, 0, 10)]),  # numpy raised TokenError
    ("prepared card", 0, [("flip", False, 60, 0)]),  # a pair with another key
    ("prepared card", 0, [("flip", True, 255, 0)]),  # no shapes
    ("prepared card", 0, [("drop", False, 308, 11)]),  # an image of one side
    ("watch table", 0, [("u16", False, 0, 345)]),  # a carriage return within a line
    ("watch table", 0, [("token", False, 230, 4)]),
    ("pairs.csv", 0, [("token", False, 12, 973)]),  # a column of 5,000 letters
    ("pairs.csv", 1, [("token", False, 14, 973)]),  # a file name that no disk takes
]


@pytest.mark.parametrize(("name", "which", "changes"), CORPUS)
def test_what_was_once_at_fault_is_told(name: str, which: int, changes: list[Edit], tmp_path: Path) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    if not seeds:
        pytest.skip("the extra of this format is not installed")
    if target.setup is not None:
        target.setup(tmp_path)
    path = tmp_path / target.file
    path.write_bytes(seeds[0])
    with suppress(InputError):
        target.read(path)  # what is imported late, is imported before the watch
    path.write_bytes(made(target, seeds, which, changes))
    told(target.read, path)
