from pathlib import Path

import pytest
import torch
from torch import nn

from pairvae.errors import InputError
from pairvae.store.tensors import load_tensors, save_tensors
from pairvae.training.checkpoints import FILE, Progressed, load, peek_run, save

DONE = Progressed(3, [{"loss": 0.1}, {"loss": 1 / 3}, {"loss": 1e-9}], "abc")


def stepped(width: int = 2) -> tuple[nn.Module, torch.optim.Adam]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    module(torch.randn(5, 3)).square().sum().backward()
    optimiser.step()
    return module, optimiser


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, *stepped()) is None
    assert peek_run(tmp_path) is None


def test_round_trip_of_weights_moments_history_and_run(tmp_path: Path) -> None:
    module, optimiser = stepped()
    save(tmp_path, module, optimiser, DONE)
    fresh = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    other = torch.optim.Adam(fresh.parameters(), lr=0.1)
    assert load(tmp_path, fresh, other) == DONE
    assert peek_run(tmp_path) == "abc"
    for name, value in module.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name
    kept, given = other.state_dict()["state"], optimiser.state_dict()["state"]
    assert kept.keys() == given.keys()
    for index, moments in given.items():
        for key, value in moments.items():
            assert torch.equal(kept[index][key], value), key


def test_checkpoint_of_another_network_is_told_and_loads_nothing(tmp_path: Path) -> None:
    save(tmp_path, *stepped(width=4), DONE)
    module, optimiser = stepped()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: expected 0\.weight of shape \(2, 3\)"):
        load(tmp_path, module, optimiser)
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in before.items())


def test_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    save(tmp_path, *stepped(), DONE)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"expected a whole safetensors file.*delete it and run again"):
        load(tmp_path, *stepped())
    with pytest.raises(InputError, match="expected a whole safetensors file"):
        peek_run(tmp_path)


def test_checkpoint_without_its_card_is_told(tmp_path: Path) -> None:
    save(tmp_path, *stepped(), DONE)
    save_tensors(tmp_path / FILE, load_tensors(tmp_path / FILE)[0], {})
    with pytest.raises(InputError, match="expected a checkpoint with epochs"):
        load(tmp_path, *stepped())
