"""How draws vary: measured on training pairs alone, kept in the model folder, used wherever images are drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from many_pairs import SMALL, write_prepared
from pairvae import store
from pairvae.errors import InputError
from pairvae.evaluation.ridge import ridge
from pairvae.evaluation.uncertainty import draw_images
from pairvae.inference.card import MIXING, load_vaes
from pairvae.inference.loader import load
from pairvae.models import vae
from pairvae.models.compact import CompactEncoder
from pairvae.models.vae import VAE, Posterior
from pairvae.settings import resolve
from pairvae.stages import calibration
from pairvae.stages.calibration import factors_of, mixing_of, refit
from pairvae.stages.project import Project, open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import CARD, load_card
from pairvae.store.prepared import open_prepared

PAIRS, TRAIN, CHANNELS = 14, 10, 4
TINY = [
    *SMALL,
    f"split.train={TRAIN}",
    f"latent.channels={CHANNELS}",
    "saxs.network.components=4",
    "saxs.network.width=16",
    "sem.network.components=4",
    "sem.network.width=16",
    "sem.network.noise_channels=8",
    "sem.network.block_widths=[8, 8, 8]",
    "saxs.training.batch=5",
    "sem.training.batch=5",
    "pair.training.batch=5",
]


def project_in(folder: Path, *changes: str) -> Project:
    return open_project([*TINY, *changes], folder=folder, track=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("calibration")
    write_prepared(folder / "data" / "prepared", PAIRS)
    (folder / "params.yaml").write_text("preset: fast\n")
    project = project_in(folder)
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)
    return project


@pytest.fixture
def older(trained: Project, tmp_path: Path) -> Path:
    """The model as versions before this one would have written it."""
    folder = tmp_path / "older"
    shutil.copytree(trained.model("train-pair"), folder)
    card = load_card(folder)
    del card[MIXING]
    store.write_json(folder / CARD, card)
    return folder


def patterns(project: Project) -> np.ndarray:
    return np.array(project.prepared().whole("saxs")[:3])


def test_the_pattern_s_posterior_alone_is_calibrated(trained: Project) -> None:
    vaes, card = load_vaes(trained.model("train-pair"))
    assert list(card[MIXING]) == ["saxs"]
    assert vaes["sem"].mixing is None
    found = vaes["saxs"].mixing
    assert found is not None
    assert found.shape == (CHANNELS, CHANNELS)
    assert torch.equal(found, found.tril())
    assert (found.diag() > 0).all()
    assert not torch.equal(found, torch.eye(CHANNELS))


def test_validation_pairs_are_not_looked_at(trained: Project, tmp_path: Path) -> None:
    rows = trained.split(trained.prepared())
    shutil.copytree(trained.prepared().folder, tmp_path / "prepared")
    for file in ("saxs.npy", "sem-crops.npy"):
        array = np.load(tmp_path / "prepared" / file, mmap_mode="r+")
        array[list(rows.validation)] = 1
        array.flush()
    other = open_prepared(tmp_path / "prepared")
    vaes, _ = load_vaes(trained.model("train-pair"))
    expected = factors_of(trained.prepared(), vaes, rows.train, seed=0)["saxs"]
    np.testing.assert_array_equal(factors_of(other, vaes, rows.train, seed=0)["saxs"], expected)
    array = np.load(tmp_path / "prepared" / "sem-crops.npy", mmap_mode="r+")
    array[rows.train[0]] = np.random.default_rng(0).integers(0, 2, array.shape[1:])
    array.flush()
    changed = factors_of(open_prepared(other.folder), vaes, rows.train, seed=0)["saxs"]
    assert not np.array_equal(changed, expected)


def encoded(project: Project, vaes: dict[str, VAE]) -> Posterior:
    with torch.no_grad():
        return vaes["saxs"].posterior(torch.from_numpy(np.array(project.prepared().whole("saxs"))))


def test_a_refitted_mean_is_that_of_the_ridge_regression(trained: Project) -> None:
    prepared, rows = trained.prepared(), trained.split(trained.prepared()).train
    vaes, _ = load_vaes(trained.model("train-pair"))
    before = encoded(trained, vaes)
    with torch.no_grad():
        features = vaes["saxs"].encoder.features(torch.from_numpy(np.array(prepared.whole("saxs"))))
        crops = [vaes["sem"].posterior(torch.from_numpy(np.array(prepared.crops("sem")[row], np.float32)[:, None]))
                 for row in rows]  # fmt: skip
    wanted = torch.stack([one.mean.mean(0).flatten() for one in crops]).double().numpy()
    spread = vaes["saxs"].encoder.spread.double().numpy()
    own = features.double().numpy() * np.sqrt(spread / spread.max())
    expected = torch.from_numpy(ridge(own[list(rows)], wanted)(own))
    refit(prepared, vaes, rows, 0.25)
    after = encoded(trained, vaes)
    torch.testing.assert_close(
        after.mean.flatten(1), 0.75 * before.mean.flatten(1) + 0.25 * expected, atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(after.std, before.std)
    refit(prepared, vaes, rows, 1.0)
    torch.testing.assert_close(encoded(trained, vaes).mean.flatten(1), expected.float(), atol=1e-4, rtol=1e-4)


def test_as_many_components_as_patterns_do_not_hide_what_matters() -> None:
    """Whitened scores of N patterns in N - 1 components are a simplex, from which no left-out one can be told."""
    draw = np.random.default_rng(0)
    basis = draw.normal(0, 1, (2, 3 * 8 * 8))
    strengths = draw.normal(0, 1, (212, 2))
    noise = 0.1 * draw.normal(0, 1, (212, 3 * 8 * 8))
    arrays = torch.from_numpy((strengths @ basis + noise).reshape(-1, 3, 8, 8).astype(np.float32))
    encoder = CompactEncoder((3, 8, 8), pool=1, components=16, width=4, channels=1, grid=1)
    encoder.fit(arrays[:12])
    features = encoder.features(arrays).double().numpy()

    def error(inputs: np.ndarray) -> float:
        predicted = ridge(inputs[:12], strengths[:12])(inputs[12:])
        return float(((predicted - strengths[12:]) ** 2).mean() / strengths[12:].var())

    assert error(features) > 0.5
    assert error(features * calibration._weights(encoder)) < 0.1


def test_the_preset_refits_by_half_and_paper_not_at_all(trained: Project, tmp_path: Path) -> None:
    assert resolve({}).pair.training.refit == 0.5
    assert resolve({"preset": "paper"}).pair.training.refit == 0.0
    shutil.copytree(trained.folder, tmp_path / "again")
    again = project_in(tmp_path / "again", "pair.training.refit=0")
    train_pair(again)
    vaes, _ = load_vaes(again.model("train-pair"))
    refit(again.prepared(), vaes, again.split(again.prepared()).train, 0.5)
    expected = load_vaes(trained.model("train-pair"))[0]
    torch.testing.assert_close(encoded(again, vaes).mean, encoded(trained, expected).mean)


def test_many_pairs_and_two_are_not_refitted(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, rows = trained.prepared(), trained.split(trained.prepared()).train
    vaes, _ = load_vaes(trained.model("train-pair"))
    before = encoded(trained, vaes).mean
    refit(prepared, vaes, rows[:2], 1.0)
    monkeypatch.setattr(calibration, "LARGEST", len(rows) - 1)
    refit(prepared, vaes, rows, 1.0)
    assert torch.equal(encoded(trained, vaes).mean, before)


def test_single_predictions_and_their_reverse_stay_as_they_were(trained: Project, older: Path) -> None:
    now, before = load(trained.model("train-pair")), load(older)
    assert before.vaes["saxs"].mixing is None
    one = patterns(trained)
    np.testing.assert_array_equal(now.predict(one, "saxs", "sem"), before.predict(one, "saxs", "sem"))
    crops = np.array(trained.prepared().crops("sem")[:2, 0])
    first, second = (model.predict(crops, "sem", "saxs", samples=3) for model in (now, before))
    np.testing.assert_array_equal(first, second)


def test_several_images_are_drawn_with_the_mixing(trained: Project, older: Path) -> None:
    now, before = load(trained.model("train-pair")), load(older)
    one = patterns(trained)
    assert not np.array_equal(
        now.predict(one, "saxs", "sem", samples=4), before.predict(one, "saxs", "sem", samples=4)
    )
    inputs = torch.from_numpy(one)
    first, second = (
        draw_images(model.vaes["saxs"], model.vaes["sem"], inputs, 4, 0) for model in (now, before)
    )
    assert not np.array_equal(first, second)
    latent = now.posterior(one, "saxs")
    assert latent.mixing is now.vaes["saxs"].mixing
    assert now.encode(one[0], "saxs").mixing is latent.mixing


def test_without_calibration_as_in_the_preset_paper_nothing_is_kept(trained: Project, tmp_path: Path) -> None:
    assert resolve({}).pair.training.calibrate
    assert not resolve({"preset": "paper"}).pair.training.calibrate
    shutil.copytree(trained.folder, tmp_path / "again")
    again = project_in(tmp_path / "again", "pair.training.calibrate=false")
    train_pair(again)
    vaes, card = load_vaes(again.model("train-pair"))
    assert MIXING not in card
    assert vaes["saxs"].mixing is None


@pytest.mark.parametrize("wrong", [[[1.0]], [[1.0] * CHANNELS] * 3, [[1e39] * CHANNELS] * CHANNELS])
def test_a_factor_that_does_not_fit_the_latent_is_one_clear_line(
    older: Path, wrong: list[list[float]]
) -> None:
    store.write_json(older / CARD, load_card(older) | {MIXING: {"saxs": wrong}})
    with pytest.raises(InputError, match=r"mixing\.saxs"):
        load(older)


def test_too_few_groups_of_pairs_measure_nothing(trained: Project) -> None:
    vaes, _ = load_vaes(trained.model("train-pair"))
    assert mixing_of(trained.prepared(), vaes, [0, 1]) == {}
    assert set(mixing_of(trained.prepared(), vaes, [0, 1, 2])) == {"saxs"}


def test_the_served_pair_draws_as_the_library_does() -> None:
    from pairvae.tracking.registry.served import CHUNK, ServedPair

    assert CHUNK == vae.CHUNK, "else the same seed gives other noise"

    mixing = [[1.0, 0.0], [0.8, 0.6]]
    served = ServedPair()
    served.shapes, served.binary = {"saxs": (2, 1, 1), "sem": (2, 1, 1)}, {"saxs": False, "sem": False}
    served.mixing = {"saxs": torch.tensor(mixing)}
    served.programs = {
        "saxs-encoder": lambda values: torch.cat([values, 0.5 + values], dim=1),  # type: ignore[dict-item]  # stands in
        "sem-decoder": lambda latents: latents,  # type: ignore[dict-item]  # for an exported program
    }
    inputs = np.array([[[[0.25]], [[0.75]]]], np.float32)
    found = served.predict(None, inputs, {"direction": "saxs_sem", "samples": 5, "seed": 3})
    mean = torch.from_numpy(inputs)
    torch.manual_seed(3)
    expected = Posterior(mean, 0.5 + mean, torch.tensor(mixing)).repeated(0, 5).opposed()
    assert len(np.unique(found)) == 10
    np.testing.assert_array_equal(found, expected.numpy())
    single = served.predict(None, inputs, {"direction": "saxs_sem"})
    np.testing.assert_array_equal(single, inputs)
