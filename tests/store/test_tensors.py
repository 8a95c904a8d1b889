from pathlib import Path

import pytest
import torch

from pairvae.errors import InputError
from pairvae.store.tensors import load_tensors, save_tensors


def test_round_trip_keeps_values_types_and_card(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "float": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T,
        "bfloat": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 3),
    }
    save_tensors(path, tensors, {"epochs": 3, "name": "ä"})
    loaded, card = load_tensors(path)
    assert card == {"epochs": 3, "name": "ä"}
    assert set(loaded) == set(tensors)
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


@pytest.mark.parametrize("keep", [0, 4, 20, 0.5, 0.99])
def test_truncated_file_is_told(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.zeros(1000)}, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match=r"a\.safetensors: expected a whole safetensors file.*delete it"):
        load_tensors(path)


def test_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a whole safetensors file"):
        load_tensors(tmp_path / "absent.safetensors")


def test_other_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    torch.save({"x": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="expected a whole safetensors file"):
        load_tensors(path)


def test_card_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        save_tensors(tmp_path / "a", {"x": torch.zeros(1)}, {"loss": float("inf")})
    assert list(tmp_path.iterdir()) == []


def test_equal_weights_have_equal_bytes(tmp_path: Path) -> None:
    weights = {f"layer {number}": torch.full((3,), float(number)) for number in range(8)}
    written = set()
    for number in range(12):
        save_tensors(tmp_path / f"{number}.safetensors", weights, {"a": 1, "b": [2]})
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1
    assert load_tensors(tmp_path / "0.safetensors")[1] == {"a": 1, "b": [2]}
