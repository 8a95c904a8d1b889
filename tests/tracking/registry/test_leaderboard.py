"""The champion moved by hand: only for a better score or with a reason, back again, and both beside each other."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from pairvae.commands.registry import compare_versions, demote_champion, list_versions, promote_version
from pairvae.errors import InputError
from pairvae.store.project_root import tracking_uri
from pairvae.tracking.registry.aliases import CHAMPION, promote_if_better, version_for_alias
from pairvae.tracking.registry.leaderboard import PROGRAMS_TAG, registered_together, version_named

NAMES = ("pairvae", "pairvae-sem-decoder")


def registered(root: Path, *scores: float, data: str = "a") -> None:
    """One version of pair and program for each score, promoted by the gate; without files."""
    client = MlflowClient(tracking_uri=tracking_uri(root))
    for score in scores:
        versions = {}
        for name in reversed(NAMES):
            if not list(client.search_registered_models(f"name='{name}'")):
                client.create_registered_model(name)
            tags = {"preset": "fast", "validation.saxs_sem.s2_mae": str(score / 100)}
            if name == "pairvae":
                tags[PROGRAMS_TAG] = f'{{"pairvae-sem-decoder": {versions[NAMES[1]]}}}'
            made = client.create_model_version(name, source=root.as_uri(), tags=tags)
            versions[name] = int(made.version)
        promote_if_better(root, NAMES, versions, score, validation_data=data)


def champion(root: Path) -> list[int | None]:
    found = [version_for_alias(root, name, CHAMPION) for name in NAMES]
    return [one.number if one else None for one in found]


def test_a_worse_version_is_promoted_only_with_a_reason(ready_root: Path) -> None:
    registered(ready_root, 0.5, 0.6)
    assert champion(ready_root) == [1, 1]
    with pytest.raises(InputError, match=r"version 2: expected a validation score below 0\.5.*--force --why"):
        promote_version("2", root=ready_root)
    for force, why in ((True, ""), (False, "looks better")):
        with pytest.raises(InputError, match="--force and --why TEXT together"):
            promote_version("2", force=force, why=why, root=ready_root)
    assert champion(ready_root) == [1, 1]
    assert promote_version("2", force=True, why="new detector", root=ready_root) == [
        "version 2 is the champion now (before: 1)"
    ]
    assert champion(ready_root) == [2, 2]
    tags = version_named(ready_root, "pairvae", "champion").tags
    assert tags["promoted_why"] == "new detector" and "@" in tags["promoted_by"] and tags["promoted_at"]
    assert promote_version("champion", root=ready_root) == ["version 2 is the champion already"]
    assert promote_version("1", root=ready_root) == ["version 1 is the champion now (before: 2)"]


def test_the_title_goes_back_to_the_champion_before(ready_root: Path) -> None:
    registered(ready_root, 0.5, 0.4)
    assert champion(ready_root) == [2, 2]
    assert demote_champion(why="bad on film B", root=ready_root) == [
        "version 2 is no longer the champion; version 1 is the champion again"
    ]
    assert champion(ready_root) == [1, 1]
    assert demote_champion(root=ready_root)[0].endswith("there is no champion now")
    assert champion(ready_root) == [None, None]
    with pytest.raises(InputError, match="expected a champion of pairvae, found none"):
        demote_champion(root=ready_root)
    lines = list_versions(ready_root)
    assert [line.split()[0] for line in lines] == ["version", "2", "1"]
    assert "bad on film B" in lines[1]


def test_two_versions_beside_each_other(ready_root: Path) -> None:
    registered(ready_root, 0.5, 0.4)
    lines = compare_versions(("1", "champion"), ready_root)
    assert lines[0].split() == ["version", "1", "version", "2", "change", "better"]
    assert lines[1].split() == ["validation_score", "0.5", "0.4", "-20.0", "%", "2"]
    assert lines[2].split() == ["saxs_sem.s2_mae", "0.005", "0.004", "-20.0", "%", "2"]
    registered(ready_root, 0.1, data="b")
    with pytest.raises(
        InputError, match="versions 1 and 3: expected two versions with the same training and"
    ):
        compare_versions(("1", "3"), ready_root)
    assert champion(ready_root) == [2, 2]
    with pytest.raises(
        InputError, match=r"versions 3 and 2: expected two versions with the same.*--force --why"
    ):
        promote_version("3", root=ready_root)


def test_versions_that_are_not_there_are_told(ready_root: Path) -> None:
    assert list_versions(ready_root) == [
        "no versions of pairvae are registered here; `pairvae repro` registers one"
    ]
    registered(ready_root, 0.5)
    with pytest.raises(InputError, match=r"expected a version of pairvae, or an alias, found '7'"):
        promote_version("7", root=ready_root)


def test_versions_registered_together_move_together(ready_root: Path) -> None:
    """After a failed registration the numbers of a pair and its programs differ."""
    client = MlflowClient(tracking_uri=tracking_uri(ready_root))
    client.create_registered_model(NAMES[1])
    client.create_model_version(NAMES[1], source=ready_root.as_uri())
    registered(ready_root, 0.5)
    assert registered_together(ready_root, version_named(ready_root, "pairvae", "1")) == {
        NAMES[0]: 1,
        NAMES[1]: 2,
    }
