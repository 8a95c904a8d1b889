"""A measurement campaign as a loop of ask and tell, whose state is a file that several people may share.

    campaign = Campaign.of_project("my-project")
    for name in campaign.ask(3):
        campaign.tell(name, "measured/" + name + ".tif")

Every call reads the state, changes it and writes it whole while it holds a lock: a process that is killed leaves the
state before or after its call, and two people are never sent to the same sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pairvae.commands.suggest.ranking import Ranking, Wanted, rank, satisfies
from pairvae.commands.suggest.survey import Outcome, Survey, outcome_of, survey
from pairvae.errors import InputError
from pairvae.store.files import read_json, write_json
from pairvae.store.locks import locked

if TYPE_CHECKING:
    from pairvae.inference.predictor import Predictor

FORMAT = 1
STATE = Path(".pairvae") / "campaign.json"
Measured = Mapping[str, float] | np.ndarray | str | Path | None


class Campaign:
    """Which sample to measure next, again and again.

    Parameters
    ----------
    known : Survey
        The measured pairs and the samples without a partner (:func:`pairvae.commands.suggest.survey.survey`).
    state : Path
        The file of what was asked and told. Those who share it work on one campaign.
    wanted : Wanted, optional
        Weights, cost and constraints.
    predictor : Predictor, optional
        Prepares the micrographs that :meth:`tell` is given.
    """

    def __init__(
        self, known: Survey, state: Path, wanted: Wanted | None = None, predictor: Predictor | None = None
    ) -> None:
        self.known, self.wanted, self.predictor = known, wanted or Wanted(), predictor
        self._state = Path(state)
        self._key = (
            f"{known.source} to {known.target}"  # samples may come, and leave when they have a partner
        )
        self.ranking: Ranking | None = None

    @classmethod
    def of_project(
        cls,
        folder: str | Path = ".",
        files: Sequence[str] = (),
        model: str | None = None,
        state: str | Path | None = None,
        wanted: Wanted | None = None,
    ) -> Campaign:
        """The campaign of a project: its pairs, and its samples without a partner or new ``files``.

        ``model``: a model folder or registry URI; needed for new files and to be told micrographs as files.
        """
        from pairvae.inference.loader import load
        from pairvae.stages.project import open_project

        project = open_project(folder=Path(folder), track=False)
        predictor = None if model is None else load(model, project.root)
        known = survey(project, files, None, predictor)
        return cls(known, Path(state) if state else project.root / STATE, wanted, predictor)

    def ask(self, n: int = 1) -> list[str]:
        """Ids of ``n`` samples to measure next (fewer where fewer are left); they count as being measured from now on.

        ``InputError`` where none is left.
        """
        if n < 1:
            raise InputError(expected="at least one sample", found=str(n), where="ask")
        with locked(self._lock):
            state = self._read()
            wanted = replace(self.wanted, count=n)
            self.ranking = rank(self.known, wanted, self._outcomes(state), list(state["asked"]))
            chosen = [self.known.candidates[number] for number in self.ranking.chosen]
            state["asked"] += chosen
            write_json(self._state, state)
        return chosen

    def tell(self, name: str, measured: Measured) -> None:
        """What the measurement of sample ``name`` gave.

        ``measured``: a micrograph as a file or as a prepared array ``(1, H, W)``, descriptors by name (as
        :func:`pairvae.describe` gives them), or None where the measurement failed: it is not asked for again.
        """
        if name not in self.known.candidates:
            raise InputError(
                expected="a sample of this campaign", found=repr(name), where="tell",
                remedy="pairvae suggest lists them in suggestions.csv",
            )  # fmt: skip
        outcome = self._outcome(measured)
        with locked(self._lock):
            state = self._read()
            state["asked"] = [other for other in state["asked"] if other != name]
            state["told"][name] = None if outcome is None else _plain(outcome)
            write_json(self._state, state)

    def should_stop(self) -> tuple[bool, str | None]:
        """Whether no sample is left or a further measurement is expected to gain too little, and the words for it."""
        state = self._read()
        outcomes, asked = self._outcomes(state), list(state["asked"])
        allowed = satisfies(self.known, self.wanted.constraints)
        left = {name for name, may in zip(self.known.candidates, allowed, strict=True) if may}
        if not left - {*outcomes, *asked}:
            return True, "No sample is left that is neither measured nor excluded."
        ranking = rank(self.known, replace(self.wanted, count=1), outcomes, asked)
        return ranking.stop, ranking.advice

    def told_and_pending(self) -> tuple[dict[str, Outcome | None], tuple[str, ...]]:
        """What was told by sample (None: the measurement failed), and which samples are being measured."""
        state = self._read()
        return self._outcomes(state), tuple(state["asked"])

    @property
    def _lock(self) -> Path:
        return self._state.with_name(f"{self._state.name}.lock")

    def _read(self) -> dict[str, Any]:
        if not self._state.is_file():
            return {"format": FORMAT, "campaign": self._key, "asked": [], "told": {}}
        state = read_json(self._state, "the state of a campaign", "name another --state")
        asked, told = state.get("asked"), state.get("told")
        names = isinstance(asked, list) and all(isinstance(name, str) for name in asked)
        if state.get("format") != FORMAT or not names or not isinstance(told, dict):
            raise self._damaged()
        if state.get("campaign") != self._key:
            raise InputError(
                expected=f"a campaign {self._key}", found=repr(state.get("campaign")), where=str(self._state),
                remedy="name another --state",
            )  # fmt: skip
        return state

    def _damaged(self) -> InputError:
        return InputError(
            expected="the state of a campaign", found="something else", where=str(self._state),
            remedy="name another --state",
        )  # fmt: skip

    def _outcomes(self, state: Mapping[str, Any]) -> dict[str, Outcome | None]:
        """What was told, by sample; the file may have been edited (``InputError``)."""
        known = self.known.outcomes[0].descriptors
        try:
            outcomes = {name: _from_json(entry) for name, entry in state["told"].items()}
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise self._damaged() from error
        lengths = {len(outcome.curve) for outcome in self.known.outcomes if outcome.curve is not None}
        for outcome in (outcome for outcome in outcomes.values() if outcome is not None):
            other_length = outcome.curve is not None and lengths and len(outcome.curve) not in lengths
            if other_length or not outcome.descriptors.keys() <= known.keys():
                raise self._damaged()
        return outcomes

    def _outcome(self, measured: Measured) -> Outcome | None:
        if measured is None:
            return None
        if isinstance(measured, Mapping):
            numbers = {name: float(value) for name, value in measured.items()}
            known = set(self.known.outcomes[0].descriptors)
            if not numbers or not numbers.keys() <= known or not np.isfinite(list(numbers.values())).all():
                given = ", ".join(f"{name}={value:g}" for name, value in numbers.items())
                raise InputError(
                    expected=f"finite numbers among {', '.join(sorted(known))}", found=given or "none", where="tell",
                )  # fmt: skip
            return Outcome(numbers)
        if isinstance(measured, str | Path):
            if self.predictor is None:
                raise InputError(expected="a model, to prepare the file", found="none", where="--model")
            measured = self.predictor.prepare(measured, self.known.target)
        return outcome_of(measured, self.known.target)


class CampaignOptimizer:
    """A campaign as the ``Optimizer`` of bluesky-adaptive (1.0), whose plans call it.

    A suggestion is ``{"_id": id, "sample": number}``: the number is the position of the sample in ``sample_ids``, for a
    sample changer. An outcome holds the ``_id`` and descriptors by name; without descriptors the measurement failed.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.sample_ids = campaign.known.candidates

    def suggest(self, num_points: int | None = None) -> list[dict[str, Any]]:
        """``num_points`` samples to measure (one by default)."""
        return [
            {"_id": name, "sample": self.sample_ids.index(name)}
            for name in self.campaign.ask(num_points or 1)
        ]

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Outcomes, each with its ``_id``."""
        for point in points:
            known = self.campaign.known.outcomes[0].descriptors
            numbers = {name: float(point[name]) for name in known if name in point}
            self.campaign.tell(str(point["_id"]), numbers or None)

    def register_failures(self, suggestions: Sequence[Mapping[str, Any]]) -> None:
        """Samples whose measurement failed: they are not suggested again."""
        for suggestion in suggestions:
            self.campaign.tell(str(suggestion["_id"]), None)

    def should_stop(self) -> tuple[bool, str | None]:
        """Whether to stop, and why."""
        return self.campaign.should_stop()

    def checkpoint(self) -> None:
        """Nothing: every call writes the state."""

    def get_best_points(self) -> list[tuple[Any, Mapping[str, Any], Mapping[str, Any]]]:
        """What was measured: id, suggestion, outcome. A campaign maps the samples and seeks no optimum."""
        return [
            (name, {"_id": name, "sample": self.sample_ids.index(name)}, dict(outcome.descriptors))
            for name, outcome in self.campaign.told_and_pending()[0].items()
            if outcome is not None
        ]


def _plain(outcome: Outcome) -> dict[str, Any]:
    """As JSON; what is not there (nan) is left out."""
    numbers = {name: float(value) for name, value in outcome.descriptors.items() if np.isfinite(value)}
    return {
        "descriptors": numbers,
        "curve": None if outcome.curve is None else [float(one) for one in outcome.curve],
    }


def _from_json(entry: Any) -> Outcome | None:
    """The reverse of :func:`_plain`; one of several errors for anything else."""
    if entry is None:
        return None
    numbers = {name: float(value) for name, value in entry["descriptors"].items()}
    curve = None if entry["curve"] is None else np.array(entry["curve"], dtype=np.float64)
    if not np.isfinite(list(numbers.values())).all() or (
        curve is not None and (curve.ndim != 1 or not np.isfinite(curve).all())
    ):
        raise ValueError(entry)
    return Outcome(numbers, curve)
