import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.paper.architecture import PaperDecoder, collapsed, widened
from pairvae.models.paper.polyphase import UpConv

FILTERS = 32
EPSILON = 1e-7
STEPS = 20


def decoder(*, narrow: bool, filters: int = FILTERS, kernel: int = 15) -> PaperDecoder:
    return PaperDecoder(1, latent_channels=4, filters=filters, kernel=kernel, binary=True, collapsed=narrow)


def both_forms(dtype: torch.dtype = torch.float32) -> tuple[PaperDecoder, PaperDecoder]:
    torch.manual_seed(0)
    wide, narrow = decoder(narrow=False), decoder(narrow=True)
    wide, narrow = wide.to(dtype), narrow.to(dtype)
    narrow.load_state_dict(collapsed(wide.state_dict()))
    return wide, narrow


def latents(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(4, 4, 1, 1, generator=torch.Generator().manual_seed(1)).to(dtype)


def train(model: PaperDecoder, last_epsilon: float) -> tuple[Tensor, Tensor]:
    """Logits after Adam steps towards fixed binary images: by the batch's statistics, and in inference."""
    last = model.convolutions[-1]
    assert isinstance(last, UpConv)
    own = {id(parameter) for parameter in last.parameters()}
    others = [parameter for parameter in model.parameters() if id(parameter) not in own]
    groups = [{"params": others, "eps": EPSILON}, {"params": list(last.parameters()), "eps": last_epsilon}]
    optimiser = torch.optim.Adam(groups, lr=1e-3)
    given = latents(last.weight.dtype)
    images = (torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(2)) > 0.5).to(given.dtype)
    for _ in range(STEPS):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model.logits(given), images).backward()
        optimiser.step()
    with torch.no_grad():
        return model.logits(given), model.eval().logits(given)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def test_both_forms_are_the_same_function() -> None:
    wide, narrow = both_forms()
    with torch.no_grad():
        assert relative(narrow.logits(latents()), wide.logits(latents())) < 1e-5


def test_both_forms_take_the_same_adam_steps() -> None:
    """Each of 32 channels gets 1/32 of the gradient, so the wide layer's epsilon is divided by 32.

    In double precision: in float32 Adam makes steps of the rounding noise where a true gradient is 0 (biases
    in front of batch norms), which differs even between two machines.
    """
    wide, narrow = both_forms(torch.double)
    start = both_forms(torch.double)[1].logits(latents(torch.double)).detach()
    expected, expected_inference = train(wide, EPSILON / FILTERS)
    found, found_inference = train(narrow, EPSILON)
    assert relative(start, expected) > 0.1  # the steps have moved the outputs
    assert relative(found, expected) < 1e-8
    assert relative(found_inference, expected_inference) < 1e-8


def test_with_equal_epsilons_the_steps_differ() -> None:
    """The same comparison can fail: it sees the epsilon."""
    wide, narrow = both_forms(torch.double)
    assert relative(train(narrow, EPSILON)[0], train(wide, EPSILON)[0]) > 1e-8


def test_a_pair_s_weights_convert_under_their_prefix_and_back() -> None:
    wide, narrow = both_forms()
    prefix = "vaes.sem.decoder."
    state = {prefix + name: value for name, value in wide.state_dict().items()}
    state["vaes.saxs.decoder.convolutions.4.weight"] = torch.randn(8, 3, 5, 5)
    converted = collapsed(state, prefix)
    assert converted[prefix + "convolutions.4.weight"].shape == (32, 1, 15, 15)
    other = "vaes.saxs.decoder.convolutions.4.weight"
    assert converted[other] is state[other]
    back = widened(converted, FILTERS, prefix)
    own = {name.removeprefix(prefix): value for name, value in back.items() if name.startswith(prefix)}
    wide.load_state_dict(own)
    with torch.no_grad():
        assert relative(wide.logits(latents()), narrow.logits(latents())) < 1e-5
