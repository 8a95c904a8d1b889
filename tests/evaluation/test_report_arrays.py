import numpy as np

from pairvae.evaluation.report_arrays import curve_bands, curves_of, figure_arrays


def test_bands_are_mean_and_standard_deviation_of_a_split() -> None:
    curve = np.array([[[1.0, 0.0], [3.0, 0.0]], [[5.0, 2.0], [7.0, 2.0]]])  # two samples, two crops, two bins
    members = {"all": range(2), "validation": [1], "train": []}
    bands = curve_bands({"true": {"s2": curve}}, members, ("all", "validation", "train"))
    assert set(bands) == {"band/s2/all/true", "band/s2/validation/true"}
    np.testing.assert_allclose(bands["band/s2/all/true"], [[4.0, 1.0], [np.sqrt(5), 1.0]])
    np.testing.assert_allclose(bands["band/s2/validation/true"], [[6.0, 2.0], [1.0, 0.0]])


def test_curves_keep_samples_and_crops() -> None:
    images = np.zeros((2, 3, 16, 16), np.uint8)
    images[1] = 1
    found = curves_of(images, "unbiased")
    assert found["s2"].shape == (2, 3, 8)
    np.testing.assert_allclose(found["s2"][1], 1.0)
    np.testing.assert_allclose(found["s2"][0], 0.0, atol=1e-12)


def test_material_holds_latents_by_sample_and_bands_of_image_directions() -> None:
    from pairvae.evaluation.scores.evaluate import Reference
    from pairvae.evaluation.scores.reconstruct import EvaluationSet

    generator = np.random.default_rng(0)
    crops = generator.integers(0, 2, (3, 2, 16, 16)).astype(np.uint8)
    what = EvaluationSet(
        patterns=generator.random((3, 3, 8, 8), dtype=np.float32),
        crops=crops,
        train=(0, 1),
        validation=(2,),
        morphologies=(None, None, None),
        estimator="unbiased",
        seed=0,
    )
    images = {"pair": {"saxs_sem": crops, "sem_saxs": generator.random((3, 2, 3, 8, 8))}}
    latents = {"saxs": np.ones((3, 4, 1, 1)), "sem": np.arange(6.0).reshape(6, 1, 1, 1)}
    found = figure_arrays(what, Reference(what), images, latents)
    assert found["latent_solo_saxs"].shape == (3, 4)
    np.testing.assert_allclose(found["latent_solo_sem"][:, 0], [0.5, 2.5, 4.5])
    np.testing.assert_allclose(found["band/s2/validation/pair/saxs_sem"], found["band/s2/validation/true"])
    assert not any("sem_saxs" in name for name in found)


def test_bands_have_the_bins_of_their_curves() -> None:
    curve = np.random.default_rng(0).random((3, 2, 7))
    found = curve_bands({"true": {"s2": curve}}, {"all": range(3)}, ("all",))["band/s2/all/true"]
    np.testing.assert_allclose(found, [curve.mean((0, 1)), curve.std((0, 1))])
