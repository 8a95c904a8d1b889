import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.inference.backbone import read_backbone, write_backbone
from pairvae.models.paper.resnet import ResNet50


@pytest.fixture(scope="module")
def network() -> ResNet50:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResNet50().eval()


def as_torchvision_saves_it(network: ResNet50) -> dict[str, Tensor]:
    classifier = {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    return {**network.state_dict(), **classifier}


def assert_equal(found: ResNet50, expected: ResNet50) -> None:
    own = expected.state_dict()
    assert found.state_dict().keys() == own.keys()
    assert all(torch.equal(value, own[name]) for name, value in found.state_dict().items())


def test_a_torchvision_file_loads_without_its_classifier(network: ResNet50, tmp_path: Path) -> None:
    path = tmp_path / "resnet50.pth"
    torch.save(as_torchvision_saves_it(network), path)
    assert_equal(read_backbone(path), network)


def test_round_trip_through_safetensors(network: ResNet50, tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    write_backbone(path, network, {"weights": "random"})
    assert_equal(read_backbone(path), network)


def test_old_files_without_batch_counts_load(network: ResNet50, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(state, path)
    assert_equal(read_backbone(path), network)


@pytest.mark.parametrize(("change", "message"), [
    ({"layer3.1.bn2.bias": None}, r"1 missing, the first layer3\.1\.bn2\.bias"),
    ({"conv1.weight": torch.zeros(64, 1, 7, 7)}, r"conv1\.weight of shape \(64, 1, 7, 7\) instead"),
    ({"encoder.weight": torch.zeros(1)}, r"1 unknown, the first encoder\.weight"),
    ({"bn1.bias": torch.full((64,), torch.nan)}, r"bn1\.bias with values that are not finite"),
    ({"bn1.bias": [0.0]}, r"bn1\.bias of type list"),
])  # fmt: skip
def test_weights_that_do_not_fit_are_named(
    network: ResNet50, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "wrong.pth"
    state = {**network.state_dict(), **change}
    torch.save({name: value for name, value in state.items() if value is not None}, path)
    with pytest.raises(InputError, match=message) as error:
        read_backbone(path)
    assert "wrong.pth" in str(error.value) and "pretrain.backbone" in str(error.value)


class Payload:
    """Pickled code, which must never run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('the pickle ran')",))


@pytest.mark.parametrize("kind", ["missing", "code", "text", "empty", "other", "broken safetensors"])
def test_files_that_are_no_weights_get_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("weights.safetensors" if kind == "broken safetensors" else "weights.pth")
    if kind == "code":
        path.write_bytes(pickle.dumps(Payload()))
    elif kind == "other":
        torch.save([torch.zeros(1)], path)
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "not weights")
    with pytest.raises(InputError, match="weights") as error:
        read_backbone(path)
    assert "\n" not in str(error.value)
