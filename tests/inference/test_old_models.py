"""Model folders and settings that earlier versions of pairvae wrote stay usable."""

from pathlib import Path

import numpy as np

import pairvae

OLD = Path(__file__).resolve().parent.parent / "data" / "model-of-0.1"


def predictions(folder: Path) -> dict[str, np.ndarray]:
    """What the model in ``folder`` predicts of seeded arrays: packed images, and a pattern ``(1, 1, 3, 32, 32)``."""
    model, rng = pairvae.load(folder), np.random.default_rng(0)
    pattern = rng.random((1, 3, 32, 32), dtype=np.float32)
    image = (rng.random((1, 1, 192, 192)) < 0.5).astype(np.float32)
    images = model.predict(pattern, source="saxs", target="sem", samples=2, seed=0)
    return {
        "images": np.packbits(images.astype(bool)),
        "pattern": np.asarray(model.predict(image, source="sem", target="saxs", samples=1, seed=0), np.float16),
    }  # fmt: skip


def test_a_model_of_before_predicts_what_it_did() -> None:
    """Written by 0.1.0, with the discriminator among its weights and the covariance in its card."""
    with np.load(OLD / "predictions.npz") as stored:
        found = predictions(OLD)
        assert np.unpackbits(found["images"] ^ stored["images"]).mean() < 1e-3  # rounding at the threshold
        np.testing.assert_allclose(found["pattern"], stored["pattern"], atol=2e-3)
