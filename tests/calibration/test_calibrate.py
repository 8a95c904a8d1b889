"""All four steps, on a pair whose p(z | y) is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from known_posterior import CHANNELS, FOLLOWED, Samples, samples, trained
from pairvae.calibration.calibrate import calibrate
from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.latents import LEAST_GROUPS
from pairvae.evaluation.uncertainty import coverage
from pairvae.models.conditions import fit_encoding
from pairvae.models.pair import PairVAE
from pairvae.settings import CalibrationSettings, resolve

PAIRS, NEW, DRAWN = 160, 300, 59
ALL = resolve({}).pair.calibration
NONE = ALL.model_copy(
    update={
        "length_scale": False,
        "posterior_mean": 0.0,
        "posterior_covariance": False,
        "variance_matching": False,
        "cross_regression": False,
    }
)


@pytest.fixture(scope="module")
def seen() -> Samples:
    return samples(PAIRS, seed=0)


def coverages(pair: PairVAE, new: Samples) -> tuple[float, float]:
    """Of the 90 % intervals of latents and of decoded phase fractions, for crops of samples that are new."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        posterior = pair.vae("saxs").posterior(torch.from_numpy(new.patterns))
        drawn = [posterior.repeated(row, DRAWN).sample(generator) for row in range(NEW)]
        images = [pair.vae("sem").decoder.logits(one, generator) >= 0 for one in drawn]
    latents = torch.stack(drawn)[..., 0, 0].numpy()
    fractions = torch.stack([one.float().mean((1, 2, 3)) for one in images]).numpy()
    each = [coverage(latents[..., channel], new.latents[..., channel]).mean() for channel in range(CHANNELS)]
    return float(np.mean(each)), float(coverage(fractions, new.fractions).mean())


def steps(corrections: list[Correction]) -> dict[str, Correction]:
    return {one.step: one for one in corrections}


def test_intervals_cover_what_they_say_after_the_calibration_and_not_before(seen: Samples) -> None:
    pair, new = trained(seen), samples(NEW, seed=99)
    latents, fractions = coverages(pair, new)
    assert latents < 0.6 and fractions < 0.85
    found = steps(calibrate(pair, seen.data(), ALL.model_copy(update={"variance_matching": False}), seed=0))
    latents, fractions = coverages(pair, new)
    assert 0.87 < latents < 0.93
    assert fractions < 0.9
    assert found["posterior_mean"].after < found["posterior_mean"].before
    assert found["posterior_covariance"].before > 3
    assert found["posterior_covariance"].after == pytest.approx(1, abs=0.1)
    pair = trained(seen)
    matched = steps(calibrate(pair, seen.data(), ALL, seed=0))["variance_matching"]
    assert 0.87 < coverages(pair, new)[1] < 0.93
    assert matched.before < matched.target == pytest.approx(matched.after)


def test_samples_vary_together_as_crops_do_and_std_is_their_standard_deviation(seen: Samples) -> None:
    pair = trained(seen)
    calibrate(pair, seen.data(), ALL, seed=0)
    with torch.no_grad():
        posterior = pair.vae("saxs").posterior(torch.from_numpy(seen.patterns[:1]))
    drawn = posterior.repeated(0, 20_000).sample(torch.Generator().manual_seed(0))[:, :, 0, 0].numpy()
    np.testing.assert_allclose(drawn.std(0), posterior.std.flatten(), rtol=0.03)
    expected = np.corrcoef((seen.latents - seen.latents.mean(1, keepdims=True)).reshape(-1, CHANNELS).T)
    apart = FOLLOWED == 0  # neither errors of the prediction nor the matched variance are in these channels
    np.testing.assert_allclose(np.corrcoef(drawn.T)[apart][:, apart], expected[apart][:, apart], atol=0.05)


def test_equal_seeds_give_equal_models_and_leave_other_draws_alone(seen: Samples) -> None:
    first, second, other = trained(seen), trained(seen), trained(seen)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    for pair, seed in ((first, 7), (second, 7), (other, 8)):
        calibrate(pair, seen.data(), ALL, seed)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
    assert not torch.equal(other.vae("saxs").encoder.scale_tril, first.vae("saxs").encoder.scale_tril)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (NONE, set()),
        (NONE.model_copy(update={"posterior_mean": 0.5}), {"posterior_mean"}),
        (NONE.model_copy(update={"posterior_covariance": True}), {"posterior_covariance"}),
        (NONE.model_copy(update={"variance_matching": True}), {"variance_matching"}),
    ],
)
def test_each_step_can_be_taken_alone(
    seen: Samples, settings: CalibrationSettings, expected: set[str]
) -> None:
    pair = trained(seen)
    weights = {name: value.clone() for name, value in pair.state_dict().items()}
    found = calibrate(pair, seen.data(), settings, seed=0)
    assert [one.step for one in found] == [
        "length_scale",
        "posterior_mean",
        "posterior_covariance",
        "variance_matching",
        "cross_regression",
    ]
    assert {one.step for one in found if not one.reason} == expected
    assert all(one.reason for one in found if one.target is None)
    changed = {
        name
        for name, value in pair.state_dict().items()
        if name not in weights or not torch.equal(weights[name], value)
    }
    assert bool(changed) == bool(expected)
    assert any(name.endswith("scale_tril") for name in changed) == bool(expected - {"posterior_mean"})


def test_conditions_tell_what_patterns_do_not(seen: Samples) -> None:
    """A channel that no pattern knows follows a number, which is known of three quarters of the samples."""
    draw = np.random.default_rng(7)
    numbers, words = draw.normal(40.0, 2.0, PAIRS), draw.choice(["A", "B"], PAIRS)
    moved = seen.latents.copy()
    moved[..., 3] += 0.6 * (numbers - 40.0)[:, None]
    known: list[dict[str, float | str]] = [
        {"pitch_nm": float(number), "blend": str(word)} if row % 4 else {}
        for row, (number, word) in enumerate(zip(numbers, words, strict=True))
    ]
    data = dataclasses.replace(dataclasses.replace(seen, latents=moved).data(), conditions=known)
    plain, informed, idle = (
        (pair := trained(seen), steps(calibrate(pair, one, ALL, seed=0)))
        for one in (
            data,
            dataclasses.replace(data, encoding=fit_encoding(["pitch_nm", "blend"], known)),
            dataclasses.replace(data, encoding=fit_encoding(["blend"], known)),
        )
    )
    assert plain[0].condition_shift is None and "conditions" not in plain[1]
    shift, found = informed[0].condition_shift, informed[1]["conditions"]
    assert shift is not None
    assert found.before is not None and found.after is not None and found.after < 0.8 * found.before
    low, high, nothing = shift.of([{"pitch_nm": 38.0}, {"pitch_nm": 42.0}, {}])[:, :, 0, 0]
    assert torch.equal(nothing, torch.zeros(CHANNELS))
    assert (high - low)[3] == pytest.approx(2.4, rel=0.15)
    assert (high - low)[:3].abs().max() < 0.3
    assert "do not lower the error" in idle[1]["conditions"].reason
    assert idle[0].condition_shift is not None and not idle[0].condition_shift.weight.any()
    tril = [one[0].vae("saxs").encoder.scale_tril for one in (plain, informed)]
    assert tril[1][3].norm() < 0.8 * tril[0][3].norm(), "samples are narrower where more is known"


def test_what_does_not_apply_says_why(seen: Samples) -> None:
    data, pair = seen.data(pairs=1000), trained(seen)
    found = steps(calibrate(pair, data, ALL, seed=0))
    assert "length scale" in found["length_scale"].reason
    assert "more than 256" in found["posterior_mean"].reason
    assert "no texture statistics" in found["cross_regression"].reason
    assert found["posterior_covariance"].reason == ""
    alike = dataclasses.replace(data, groups=["a"] * (PAIRS - 1) + ["b"])
    found = steps(calibrate(trained(seen), alike, ALL, seed=0))
    assert f"fewer than {LEAST_GROUPS}" in found["variance_matching"].reason
    two = CalibrationData({name: array[:, :1] for name, array in data.arrays.items()}, data.groups, PAIRS)
    found = steps(calibrate(trained(seen), two, ALL, seed=0))
    assert "no modality" in found["posterior_mean"].reason
