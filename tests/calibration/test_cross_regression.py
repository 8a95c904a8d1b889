"""Regressions toward the pattern, on stripes whose spacing decides where the ring of their pattern lies."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pairvae.calibration import cross_regression
from pairvae.calibration.calibrate import calibrate
from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.models.build import build_vae, describe
from pairvae.models.levels import LevelDecoder
from pairvae.models.pair import PairVAE
from pairvae.models.posterior import joined
from pairvae.models.vae import WHOLE, Toward
from pairvae.models.weights import trained
from pairvae.settings import LatentSettings, LevelsNetwork, TextureNetwork, resolve
from pairvae.stages.register import programs

SIDE, EACH, PAIRS = 48, 4, 14
LATENT = LatentSettings(channels=4, grid=1)
SAXS = LevelsNetwork(architecture="levels", components=4, width=16, pool=4)
SEM = TextureNetwork(architecture="texture", components=6, width=16, noise_channels=4, block_widths=(4, 4, 4))
CHOSEN = resolve({}).pair.calibration.model_copy(
    update={
        "length_scale": False, "posterior_mean": 0.0, "posterior_covariance": False, "variance_matching": False,
    }
)  # fmt: skip


def arrays(spacings: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Patterns ``(N, 1, 3, SIDE, SIDE)`` with a ring each, and crops ``(N, EACH, 1, SIDE, SIDE)`` of stripes."""
    draw, pixels = np.random.default_rng(seed), np.arange(SIDE)
    radius = np.hypot(pixels - SIDE / 2 + 0.5, (pixels - SIDE / 2 + 0.5)[:, None])
    rings = np.exp(-0.5 * np.square((radius - 120 / spacings[:, None, None]) / 3.0))
    phases = draw.uniform(0, 2 * np.pi, (len(spacings), EACH))[..., None]
    rows = np.sin(2 * np.pi * pixels / spacings[:, None, None] + phases) > 0
    crops = np.broadcast_to(rows[:, :, None, None], (len(spacings), EACH, 1, SIDE, SIDE))
    patterns = np.repeat(rings[:, None, None], 3, axis=2)
    return {"saxs": patterns.astype(np.float32), "sem": crops.astype(np.float32)}


def untrained(found: dict[str, np.ndarray]) -> PairVAE:
    """A pair with principal components and nothing learned, but for the decoder of patterns, which is linear."""
    pair = PairVAE(
        {
            "saxs": build_vae(SAXS, LATENT, (3, SIDE, SIDE), 0),
            "sem": build_vae(SEM, LATENT, (1, SIDE, SIDE), 1),
        }
    )
    inputs = {name: torch.from_numpy(array.reshape(-1, *array.shape[2:])) for name, array in found.items()}
    for name, values in inputs.items():
        pair.vae(name).encoder.fit(values)
        pair.vae(name).decoder.fit(values)
    saxs = pair.vae("saxs")
    with torch.no_grad():
        for part in (saxs.encoder.dense.output, saxs.decoder.output):
            part.weight.zero_()
            part.bias.zero_()
        for part in (saxs.encoder.dense.shortcut, saxs.decoder.shortcut):
            part.weight.zero_()
            part.weight[:4].copy_(torch.eye(4))
    return pair.eval()


@pytest.fixture(scope="module")
def data() -> CalibrationData:
    return CalibrationData(arrays(np.linspace(6, 12, PAIRS), 0), [str(row) for row in range(PAIRS)], PAIRS)


def calibrated(data: CalibrationData) -> tuple[PairVAE, dict[str, Correction]]:
    pair = untrained(dict(data.arrays))
    found = {one.step: one for one in calibrate(pair, data, CHOSEN, seed=0)}
    return pair, found


@torch.no_grad()
def misfit(pair: PairVAE, new: dict[str, np.ndarray], *, whole: bool, joint: bool) -> float:
    """Mean squared error of the component scores of patterns of new samples, from one crop or all."""
    vae, decoder = pair.vae("sem"), pair.vae("saxs").decoder
    assert isinstance(decoder, LevelDecoder)
    features = torch.stack([vae.encoder.features(torch.from_numpy(one)) for one in new["sem"]])
    posterior = vae.posterior_of(features.mean(1) if whole else features[:, 0], whole=whole)
    latent = posterior.for_target("saxs").mean if joint else posterior.mean
    return float(
        (decoder.scores(latent) - decoder.project(torch.from_numpy(new["saxs"][:, 0]))).square().mean()
    )


def test_new_patterns_follow_from_images_once_a_regression_has_its_share(data: CalibrationData) -> None:
    pair, found = calibrated(data)
    new = arrays(np.array([6.7, 8.1, 9.3, 10.9]), 5)
    for step, whole in (("cross_regression", True), ("cross_regression_of_crops", False)):
        one = found[step]
        assert one.before is not None and one.after is not None and one.value is not None
        assert one.after < 0.5 * one.before and one.value > 0.3
        assert misfit(pair, new, whole=whole, joint=True) < 0.5 * misfit(pair, new, whole=whole, joint=False)


def test_the_image_s_own_latent_stays_and_copies_carry_both(data: CalibrationData) -> None:
    plain, (pair, _) = untrained(dict(data.arrays)), calibrated(data)
    crops = torch.from_numpy(data.arrays["sem"][:3, 0])
    with torch.no_grad():
        before, after = (one.vae("sem").posterior(crops) for one in (plain, pair))
        toward = Toward(pair.vae("sem").encoder, "saxs")(crops).chunk(2, dim=1)[0]
    assert torch.equal(before.mean, after.for_target("sem").mean) and torch.equal(before.std, after.std)
    moved, width = after.for_target("saxs").mean, LATENT.channels
    assert torch.equal(moved, toward) and torch.equal(moved[:, :width], before.mean)
    drawn = after.for_target("saxs").repeated(0, 3).sample()
    assert torch.equal(drawn[:, width:], moved[:1, width:].expand(3, -1, -1, -1)), (
        "the regression has no scatter"
    )
    assert torch.equal(joined([after.first(1), after]).for_target("saxs").mean, torch.cat([moved[:1], moved]))
    assert torch.equal(after.repeated(2, 5).for_target("saxs").mean, moved[2].expand(5, -1, -1, -1))
    torch.testing.assert_close(pair.translate(crops, "sem", "saxs"), pair.vae("saxs").decoder(moved))


def test_regressions_are_weights_that_are_loaded_again(data: CalibrationData) -> None:
    pair, _ = calibrated(data)
    weights = pair.vae("sem").state_dict()
    assert {key.split(".")[2] for key in weights if ".toward." in key} == {"saxs", "saxs" + WHOLE}
    again = trained(describe(SEM, LATENT, (1, SIDE, SIDE)), weights, "a model")
    assert again.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[key]) for key, value in again.state_dict().items())


def test_a_regression_that_helps_nothing_gets_no_share(
    data: CalibrationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def far_off(inputs: np.ndarray, outputs: np.ndarray, *_: object) -> np.ndarray:
        return np.full_like(outputs, 1e3)

    monkeypatch.setattr(cross_regression, "cross_val_predict", far_off)
    pair, found = calibrated(data)
    assert (
        found["cross_regression"].value == 0
        and found["cross_regression"].after == found["cross_regression"].before
    )
    assert not pair.vae("sem").encoder.toward


def test_a_second_calibration_starts_anew(data: CalibrationData) -> None:
    pair, found = calibrated(data)
    again = {one.step: one for one in calibrate(pair, data, CHOSEN, seed=0)}
    assert again["cross_regression"] == found["cross_regression"]
    many = dataclasses.replace(data, pairs=1000)
    (skipped,) = [one for one in calibrate(pair, many, CHOSEN, 0) if one.step == "cross_regression"]
    assert "more than 256" in skipped.reason and not pair.vae("sem").encoder.toward


def test_halves_that_are_joined_so_are_registered_as_programs(data: CalibrationData) -> None:
    pair, _ = calibrated(data)
    described = {
        "saxs": describe(SAXS, LATENT, (3, SIDE, SIDE)),
        "sem": describe(SEM, LATENT, (1, SIDE, SIDE)),
    }
    found = {name: (network, example) for name, network, example in programs(pair.vaes, described)}
    halves = ["saxs-encoder", "saxs-decoder", "sem-encoder", "sem-decoder"]
    assert list(found) == [*halves, "sem-encoder-saxs", "saxs-decoder-sem"]
    crops = torch.from_numpy(data.arrays["sem"][:3, 0])
    encoder, decoder = (
        torch.export.export(network.eval(), (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},)).module()
        for network, example in (found["sem-encoder-saxs"], found["saxs-decoder-sem"])
    )
    with torch.no_grad():
        served = decoder(encoder(crops).chunk(2, dim=1)[0])
        torch.testing.assert_close(served, pair.translate(crops, "sem", "saxs"))
