"""What the injected faults found, each without a fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.settings.simulation import SimulationParameters
from pairvae.store import files, tensors
from pairvae.store.prepared import read_arrays

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)


def test_a_simulation_that_was_killed_before_it_claimed_its_folder_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".simulation.json.0123abcd-99-abcdefgh.partial").touch()
    simulate(tmp_path, pairs=1, parameters=SMALL, workers=1)
    assert {path.name for path in tmp_path.iterdir()} >= {"SAXS", "SEM", "pairs.csv", "simulation.json"}


def test_temporary_files_of_safetensors_itself_are_where_they_are_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[Path] = []
    save = tensors.save_file

    def saved(content: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        places.append(Path(path).parent)
        save(content, path, metadata)

    monkeypatch.setattr(tensors, "save_file", saved)
    tensors.save_tensors(tmp_path / "a.safetensors", {"w": torch.ones(2)}, {})
    assert [path.parent for path in places] == [tmp_path]
    assert files.PARTIAL.fullmatch(places[0].name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert tensors.load_tensors(tmp_path / "a.safetensors")[0]["w"].tolist() == [1, 1]


def test_tensors_of_which_a_byte_was_changed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors.save_tensors(path, {"w": torch.ones(64, dtype=torch.bfloat16), "n": torch.tensor(3)}, {"a": 1})
    assert tensors.load_tensors(path)[1] == {"a": 1}
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected a whole safetensors file, found other numbers than were"):
        tensors.load_tensors(path)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_arrays_that_were_cut_are_named(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, a=np.arange(1000.0), b=np.ones(3))
    assert read_arrays(path, "again")["b"].tolist() == [1, 1, 1]
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"arrays\.npz: expected a whole npz file, found .* - again"):
        read_arrays(path, "again")
