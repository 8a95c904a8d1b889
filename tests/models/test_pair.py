import torch

from pairvae.models.build import build_vae
from pairvae.models.pair import PairVAE
from pairvae.settings import CompactNetwork, LatentSettings

LATENT = LatentSettings(channels=3, grid=1)
NETWORK = CompactNetwork(architecture="compact", components=4, width=8, pool=2)
SHAPES = {"saxs": (3, 8, 8), "sem": (1, 16, 16), "afm": (1, 4, 4)}


def make_pair() -> PairVAE:
    return PairVAE({name: build_vae(NETWORK, LATENT, shape, seed=0) for name, shape in SHAPES.items()}).eval()


def test_any_modality_decodes_the_latents_of_any_other() -> None:
    pair = make_pair()
    assert pair.modalities == tuple(SHAPES)
    for source, shape in SHAPES.items():
        inputs = torch.rand(2, *shape)
        for target, wanted in SHAPES.items():
            image = pair.translate(inputs, source, target)
            assert image.shape == (2, *wanted)
            assert torch.equal(image, pair.vae(target).decoder(pair.posterior(source, inputs).mean))


def test_weights_are_named_by_modality() -> None:
    assert {name.split(".")[1] for name in make_pair().state_dict()} == set(SHAPES)
