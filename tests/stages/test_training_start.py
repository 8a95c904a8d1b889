"""Transfer: a training starts from another project's weights, and refuses what does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pairvae.errors import InputError
from pairvae.inference.card import load_vaes
from pairvae.models.build import build_vae, describe
from pairvae.models.discriminator import PatchDiscriminator
from pairvae.models.vae import VAE
from pairvae.settings import CompactNetwork, LatentSettings
from pairvae.stages.project import Project, open_project
from pairvae.stages.start import begin_from, continue_discriminator, starting_weights
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import load_card, load_model, save_model
from tiny_project import tiny_project

SHAPE = (3, 8, 8)
NETWORK = CompactNetwork(architecture="compact", components=2, width=8, pool=1)
LATENT = LatentSettings(channels=3, grid=1)
KEY = "saxs.training.start_from"


def description(**changes: Any) -> dict[str, Any]:
    return describe(NETWORK, LATENT, SHAPE) | {"prepare": {"size": 8, "colormap": None}, **changes}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a pair that was trained elsewhere."""
    vae = build_vae(NETWORK, LATENT, SHAPE, seed=5)
    weights = {f"saxs.{key}": value for key, value in vae.state_dict().items()}
    folder = tmp_path / "elsewhere" / "train-pair"
    save_model(folder, weights | {"sem.x": torch.zeros(1)}, {"modalities": {"saxs": description()}}, [])
    return folder


def fresh() -> VAE:
    return build_vae(NETWORK, LATENT, SHAPE, seed=0)


def test_weights_of_the_one_modality_are_taken(model: Path) -> None:
    vae = fresh()
    digest = begin_from(model.parent.parent, vae, "saxs", "elsewhere/train-pair", description(), KEY)
    assert digest == load_card(model)["weights_sha256"]
    expected = build_vae(NETWORK, LATENT, SHAPE, seed=5).state_dict()
    for key, value in vae.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_nothing_happens_without_a_model() -> None:
    vae = fresh()
    assert begin_from(Path(), vae, "saxs", None, description(), KEY) is None
    assert torch.equal(vae.state_dict()["encoder.mean"], fresh().state_dict()["encoder.mean"])


@pytest.mark.parametrize(("wanted", "named"), [
    (description(prepare={"size": 16, "colormap": None}), r"prepare\.size 16, found 8"),
    (description(prepare={"size": 8, "colormap": "vge"}), r"prepare\.colormap vge, found None"),
    (description(shape=[3, 16, 16]), r"shape \[3, 16, 16\], found \[3, 8, 8\]"),
    (description(latent={"channels": 4, "grid": 1}), r"latent\.channels 4, found 3"),
])  # fmt: skip
def test_another_preprocessing_shape_or_network_is_refused(
    model: Path, wanted: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named) as caught:
        starting_weights(model, "saxs", wanted, KEY)
    assert KEY in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_of_other_modalities_and_no_model_are_refused(model: Path) -> None:
    with pytest.raises(InputError, match="expected a model of iq, found saxs"):
        starting_weights(model, "iq", description(), KEY)
    with pytest.raises(InputError, match="a trained model, found none"):
        starting_weights(model.parent / "nothing", "saxs", description(), KEY)


def train_all(project: Project) -> None:
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)


def test_pipeline_starts_from_another_project(tmp_path: Path) -> None:
    first = tiny_project(tmp_path / "first")
    train_all(first)
    elsewhere = first.model("train-pair")
    still = ("learning_rate=1.0e-9", "warmup=0.0", "schedule=constant")
    changes = [f"{part}.training.{one}" for part in ("saxs", "sem", "pair") for one in still]
    begin = [f"{part}.training.start_from=../first/models/train-pair" for part in ("saxs", "sem")]
    second = another(first, tmp_path / "second", *changes, *begin, "split.train=2")
    train_all(second)
    begun, ended = load_model(elsewhere).weights, load_model(second.model("train-pair")).weights
    begun.pop("saxs.encoder.scale_tril")  # two pairs are too few to measure it, and to fit the regressions
    for name, value in begun.items():
        if ".toward." in name:
            continue
        torch.testing.assert_close(ended[name], value, atol=1e-5, rtol=0, msg=name)
    card = load_card(second.model("train-saxs"))
    assert card["params"]["start"] == load_card(elsewhere)["weights_sha256"]

    straight = another(first, tmp_path / "third", f"pair.training.start_from={elsewhere}")
    train_pair(straight)  # without any solo training of its own
    assert set(load_vaes(straight.model("train-pair"))[0]) == {"saxs", "sem"}

    narrower = another(first, tmp_path / "fourth", *begin, "saxs.network.width=7")
    with pytest.raises(InputError, match=r"saxs network\.width 7, found 8"):
        train_solo(narrower, "saxs")


def test_discriminators_go_on_from_solo_to_pair_and_from_models_of_before(model: Path) -> None:
    """A pair's training goes on from the discriminator that the solo training left; 0.1 kept it in the weights."""
    weights = PatchDiscriminator(2, 3, 1).state_dict()
    judge = PatchDiscriminator(2, 3, 1)
    continue_discriminator(judge, model, "sem")
    assert not torch.equal(judge.score.weight, weights["score.weight"]), "there is none"

    card, kept = {"modalities": {}}, {f"sem.{key}": value for key, value in weights.items()}
    save_model(model, {"sem.x": torch.zeros(1)}, card, [], discriminators=kept)
    continue_discriminator(judge, model, "sem")
    assert all(torch.equal(value, weights[key]) for key, value in judge.state_dict().items())

    old = {
        f"sem.decoder.critic.{key.replace('projection', 'belongs')}": -value for key, value in weights.items()
    }
    save_model(model, old, card, [])
    continue_discriminator(judge, model, "sem")
    assert all(torch.equal(value, -weights[key]) for key, value in judge.state_dict().items())
    wider = PatchDiscriminator(4, 3, 1)
    before = wider.score.weight.clone()
    continue_discriminator(wider, model, "sem")
    assert torch.equal(wider.score.weight, before), "one of another width starts anew"


def another(first: Project, folder: Path, *changes: str) -> Project:
    """A project in ``folder`` on the data of the first, with other settings."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "prepared").symlink_to(first.prepared_folder, target_is_directory=True)
    shutil.copy(first.folder / "params.yaml", folder)
    return open_project(list(changes), folder=folder, track=False)
