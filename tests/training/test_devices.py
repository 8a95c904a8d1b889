from collections.abc import Iterator

import pytest
import torch

from pairvae.errors import InputError
from pairvae.settings import DeviceSettings
from pairvae.training.devices import Device, available_cores, choose


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def settings(**changes: object) -> DeviceSettings:
    values = {"kind": "auto", "precision": "auto", "threads": 1, "checkpoint_seconds": 0.0} | changes
    return DeviceSettings.model_validate(values)


def matrix_units(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True} | ({"amx_bf16": True} if there else {})
    )


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_the_fastest_is_bfloat16_where_it_is_multiplied(
    monkeypatch: pytest.MonkeyPatch, there: bool, units: bool
) -> None:
    gpu(monkeypatch, there)
    matrix_units(monkeypatch, units)
    assert choose(settings(precision="fastest")).bfloat16 == (there or units)
    assert choose(settings(precision="fastest", kind="cpu")).bfloat16 == units
    assert choose(settings(precision="auto")).bfloat16 == there


def gpu(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)


@pytest.mark.parametrize(("there", "kind", "precision", "expected"), [
    (False, "auto", "auto", ("cpu", False)),
    (False, "cpu", "bfloat16", ("cpu", True)),
    (True, "auto", "auto", ("cuda", True)),
    (True, "auto", "float32", ("cuda", False)),
    (True, "cpu", "auto", ("cpu", False)),
    (True, "cuda", "auto", ("cuda", True)),
])  # fmt: skip
def test_choice(
    monkeypatch: pytest.MonkeyPatch, there: bool, kind: str, precision: str, expected: tuple[str, bool]
) -> None:
    gpu(monkeypatch, there)
    chosen = choose(settings(kind=kind, precision=precision))
    assert (chosen.torch_device.type, chosen.bfloat16) == expected


def test_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, False)
    with pytest.raises(
        InputError, match=r"device\.kind: expected a CUDA device, found none - set it to auto or cpu"
    ):
        choose(settings(kind="cuda"))


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, False)
    choose(settings(threads=2))
    assert torch.get_num_threads() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    choose(settings(threads=0))
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("limit", ["", "0", "many"])
def test_cores_without_a_limit_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert available_cores() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1000")
    assert available_cores() < 1000


def test_autocast_is_bfloat16_where_it_is_chosen() -> None:
    ones = torch.ones(2, 2)
    with Device(torch.device("cpu"), True).autocast():
        assert (ones @ ones).dtype == torch.bfloat16
    with Device(torch.device("cpu"), False).autocast():
        assert (ones @ ones).dtype == torch.float32
