"""The stage `generate`: ensembles of images for each morphology, at each scale of the latent variance."""

from __future__ import annotations

import numpy as np
import torch

from pairvae import store
from pairvae.evaluation.ensembles import ensembles
from pairvae.evaluation.scores.reconstruct import posteriors
from pairvae.inference.card import load_vaes
from pairvae.stages.assess import evaluated
from pairvae.stages.project import Project
from pairvae.training.devices import choose


def generate(project: Project) -> None:
    """Write ``reports/ensembles/<morphology>-<scale>.npz`` with images, S(r) and the true crops' S(r)."""
    settings, prepared = project.settings, project.prepared_pairs()
    choose(settings.device)
    vaes, card = load_vaes(project.model("train-pair"))
    what = evaluated(project, prepared, card)
    means = posteriors(vaes[what.names[0]], torch.from_numpy(what.patterns)).mean
    latents = (means if what.shift is None else means + what.shift).numpy()
    with store.atomic_folder(project.reports / "ensembles") as folder:
        listing: list[dict[str, str | float]] = []
        for scale in settings.generate.scales:
            for name, ensemble in ensembles(vaes, latents, what, settings.generate, scale).items():
                file = f"{len(listing):02d}.npz"
                np.savez_compressed(
                    folder / file, images=ensemble.images, s2=ensemble.s2, true_s2=ensemble.true_s2
                )
                sample = prepared.pairs[ensemble.sample].id
                listing.append({"file": file, "morphology": name, "sample": sample, "scale": scale})
        store.write_json(folder / "ensembles.json", {"ensembles": listing})
