import math
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from torch import nn

from pairvae.errors import InputError
from pairvae.store.project_root import tracking_uri
from pairvae.tracking.database import as_default, connect
from pairvae.tracking.registry import aliases
from pairvae.tracking.registry.aliases import (
    CANDIDATE,
    CHAMPION,
    PROGRAM_FILE,
    Version,
    download,
    program_file,
    promote_if_better,
    version_for_alias,
)
from pairvae.tracking.registry.model_files import CONTENT_TAG, content_digest
from pairvae.tracking.registry.registration import About, register_program, register_pyfunc
from pairvae.tracking.runs.mlflow_run import start_run

FOREIGN_PROCESS = """
import sys, mlflow.pytorch, torch
for name in sys.argv[1:]:
    program = mlflow.pytorch.load_model(f"models:/{name}@champion")
    for batch in (1, 3, 8):
        z = torch.ones(batch, 4, 3, 3)
        torch.manual_seed(0); first = program(z); second = program(z)
        torch.manual_seed(0); again = program(z)
        equal = torch.equal(first, second), torch.equal(first, again)
        print(name, tuple(first.shape), *equal, first.requires_grad)
assert not any(module.startswith("pairvae") for module in sys.modules)
"""
WHOLE = """
import mlflow
import numpy as np
import torch
from mlflow.pyfunc import PythonModel


class Whole(PythonModel):
    def load_context(self, context):
        self.decoder = torch.export.load(context.artifacts["decoder"]).module()

    def predict(self, context, model_input: np.ndarray, params=None):
        torch.manual_seed(params["seed"])
        image = self.decoder(torch.from_numpy(np.asarray(model_input)))
        return np.stack([image.numpy()] * params["samples"], axis=1)


mlflow.models.set_model(Whole())
"""


class Plain(nn.Module):
    """Convolutions with the layers that an export could stumble over."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.GELU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(8, 2, 3, padding=1),
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        mean, deviation = self.body(z).chunk(2, dim=1)
        return torch.cat([mean, deviation.exp()], dim=1)


class NoiseDriven(nn.Module):
    """Filters fresh white noise by a transfer function that the latent sets."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Linear(4, 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(z.shape[0], 1, 16, 16, device=z.device, dtype=z.dtype)
        gain = self.gain(z.mean(dim=(2, 3)))[:, :, None, None]
        return torch.sigmoid(torch.fft.irfft2(torch.fft.rfft2(noise) * gain, s=(16, 16)))


class Spectrum(nn.Module):
    """A log power spectrum."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.log1p(torch.fft.rfft2(z, norm="ortho").abs().square())


class TwoOutputs(nn.Module):
    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return z, z


class FrozenBatch(nn.Module):
    """Turns the batch into a plain number, which an export bakes in."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.stack([z[i] * (i + 1) for i in range(int(z.shape[0]))])


EXAMPLE = torch.rand(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))


def register(
    root: Path, name: str, program: nn.Module, example: torch.Tensor = EXAMPLE, run_id: str | None = None
) -> int:
    about = About("pairvae", run_id, {"latent": [4, 3, 3]}, {"preset": "fast"})
    return register_program(root, name, program, example, about)


@pytest.mark.slow  # test_pipeline does so with the models of a pipeline
def test_programs_load_without_pairvae_for_any_batch(shared_root: Path) -> None:
    torch.manual_seed(5)
    programs = {"plain": Plain(), "noise-driven": NoiseDriven(), "spectrum": Spectrum()}
    state = torch.get_rng_state()
    with start_run(shared_root, "pairvae", "register") as tracker:
        for name, program in programs.items():
            assert register(shared_root, name, program, run_id=tracker.run_id) == 1
            connect(shared_root).set_registered_model_alias(name, CHAMPION, "1")
    assert torch.equal(torch.get_rng_state(), state)
    assert programs["plain"].training and next(programs["plain"].parameters()).requires_grad
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN_PROCESS, *programs],
        cwd=shared_root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    shapes = {"plain": (2, 12, 12), "noise-driven": (1, 16, 16), "spectrum": (4, 3, 2)}
    expected = [
        f"{name} {(batch, *shapes[name])} {name != 'noise-driven'} True False"
        for name in programs
        for batch in (1, 3, 8)
    ]
    assert done.stdout.splitlines() == expected
    found = version_for_alias(shared_root, "plain", CHAMPION)
    content = content_digest(download(shared_root, "models:/plain/1"))
    assert found == Version("plain", 1, tracker.run_id, {"preset": "fast", CONTENT_TAG: content})


@pytest.mark.parametrize(("program", "batch", "problem"), [
    (Plain(), 1, "at least two samples"),
    (TwoOutputs(), 2, "one tensor out"),
    (FrozenBatch(), 2, "for a batch of 1"),
])  # fmt: skip
def test_a_program_that_would_not_serve_is_refused(
    shared_root: Path, program: nn.Module, batch: int, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        register(shared_root, "refused", program, example=torch.ones(batch, 4, 3, 3))
    assert version_for_alias(shared_root, "refused", CHAMPION) is None
    client = MlflowClient(tracking_uri=tracking_uri(shared_root))
    assert client.search_model_versions("name='refused'") == []


def test_the_whole_as_a_pyfunc(shared_root: Path, tmp_path: Path) -> None:
    program = Plain().eval()
    part = register(shared_root, "part", program)
    code = tmp_path / "whole.py"
    code.write_text(WHOLE)
    version = register_pyfunc(
        shared_root,
        "whole",
        code,
        ((-1, 4, 3, 3), (-1, -1, 2, 12, 12)),
        About("pairvae"),
        artifacts={"decoder": program_file(shared_root, "part", part)},
        params={"samples": 1, "seed": 0, "target": "sem"},
    )
    folder = download(shared_root, f"models:/whole/{version}")
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle", ".pth"}]
    with as_default(shared_root):
        import mlflow.pyfunc

        model = mlflow.pyfunc.load_model(f"models:/whole/{version}")
    z = np.ones((3, 4, 3, 3), np.float32)
    images = model.predict(z, params={"samples": 5})
    assert images.shape == (3, 5, 2, 12, 12)
    with torch.no_grad():
        np.testing.assert_allclose(images[:, 0], program(torch.from_numpy(z)).numpy(), atol=1e-5)


@pytest.mark.parametrize("uri", ["models:/absent@champion", "models:/absent/3", "models:/absent", "absent"])
def test_an_unknown_model_is_one_clear_line(shared_root: Path, uri: str) -> None:
    with pytest.raises(InputError, match="no such model, version or alias"):
        download(shared_root, uri)


def test_looking_before_the_first_run_makes_no_database(root: Path) -> None:
    assert version_for_alias(root, "pairvae", CHAMPION) is None
    with pytest.raises(InputError, match="no such model"):
        download(root, "models:/pairvae@champion")
    with pytest.raises(InputError, match="expected an MLflow database, found none"):
        connect(root).set_registered_model_alias("pairvae", CHAMPION, "1")
    assert [path.name for path in root.iterdir()] == ["params.yaml"]


def test_lost_files_are_one_clear_line(shared_root: Path) -> None:
    number = register(shared_root, "lost", Spectrum())
    (download(shared_root, f"models:/lost/{number}") / "MLmodel").unlink()
    with pytest.raises(InputError, match="doctor --fix-paths"):
        download(shared_root, f"models:/lost/{number}")


NAMES = ("encoder", "decoder")


def versions_of(root: Path, number: int) -> dict[str, int]:
    """Versions without files: promotion only looks at tags and aliases."""
    client = MlflowClient(tracking_uri=tracking_uri(root))
    for name in NAMES:
        if number == 1:
            client.create_registered_model(name)
        client.create_model_version(name, source=root.as_uri())
    return dict.fromkeys(NAMES, number)


def champions(root: Path, alias: str = CHAMPION) -> list[int | None]:
    found = [version_for_alias(root, name, alias) for name in NAMES]
    return [version.number if version else None for version in found]


def test_only_a_better_candidate_takes_the_title(ready_root: Path) -> None:
    steps = [(math.nan, False), (0.5, True), (0.5, False), (0.6, False), (math.nan, False), (0.4, True)]
    title: list[int | None] = [None, None]
    for number, (score, better) in enumerate(steps, start=1):
        versions = versions_of(ready_root, number)
        assert promote_if_better(ready_root, NAMES, versions, score, validation_data="a") is better
        title = [number, number] if better else title
        assert champions(ready_root) == title
        assert champions(ready_root, CANDIDATE) == [number, number]
    found = version_for_alias(ready_root, "decoder", CHAMPION)
    assert found is not None and found.score == 0.4


def test_a_champion_of_other_or_unknown_data_stays(ready_root: Path) -> None:
    """2.0 on one's own data once replaced 0.8 on the demo's; a better score on other data says as little."""
    for number, data in enumerate(("demo", "mine", "mine", ""), start=1):
        versions = versions_of(ready_root, number)
        assert promote_if_better(ready_root, NAMES, versions, 1 / number, validation_data=data) is (
            number == 1
        )
        assert champions(ready_root) == [1, 1] and champions(ready_root, CANDIDATE) == [number, number]
    champion = version_for_alias(ready_root, "decoder", CHAMPION)
    versions = versions_of(ready_root, 5)
    beaten = {"validation_data": "mine", "beaten": champion}  # scored anew on these data, it was worse
    assert not promote_if_better(ready_root, NAMES, versions, math.nan, **beaten)  # type: ignore[arg-type] # mixed
    assert promote_if_better(ready_root, NAMES, versions, 2.0, **beaten)  # type: ignore[arg-type] # mixed
    assert champions(ready_root) == [5, 5]


def test_scores_without_the_name_of_their_data_are_not_compared(ready_root: Path) -> None:
    assert promote_if_better(ready_root, NAMES, versions_of(ready_root, 1), 0.5)
    assert not promote_if_better(ready_root, NAMES, versions_of(ready_root, 2), 0.4)
    assert champions(ready_root) == [1, 1]


def test_half_a_promotion_is_completed(ready_root: Path) -> None:
    assert promote_if_better(ready_root, NAMES, versions_of(ready_root, 1), 0.9, validation_data="mine")
    versions = versions_of(ready_root, 2)
    assert promote_if_better(ready_root, NAMES, versions, 0.8, validation_data="mine")
    connect(ready_root).set_registered_model_alias("decoder", CHAMPION, "1")  # as if killed between the two
    versions = versions_of(ready_root, 3)
    assert promote_if_better(ready_root, NAMES, versions, 0.8, validation_data="mine")
    assert champions(ready_root) == [3, 3]


@pytest.fixture
def far_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of models lie on a server, as it were; what was fetched from there."""
    fetched: list[str] = []
    fetch = mlflow.artifacts.download_artifacts

    def counted(place: str, dst_path: str) -> str:
        fetched.append(place)
        return fetch(place, dst_path=dst_path)

    monkeypatch.setattr(aliases, "local_path", lambda place: None)
    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", counted)
    return fetched


def test_a_kept_copy_answers_for_its_own_model_alone(ready_root: Path, far_files: list[str]) -> None:
    """Numbers begin anew where registered models were deleted: the copy of the old version 1 is not the new one."""
    uri, client = "models:/pairvae@champion", MlflowClient(tracking_uri=tracking_uri(ready_root))
    for program in (Spectrum(), Plain()):
        number = register(ready_root, "pairvae", program)
        connect(ready_root).set_registered_model_alias("pairvae", CHAMPION, str(number))
        tag = client.get_model_version("pairvae", str(number)).tags[CONTENT_TAG]
        assert number == 1 and content_digest(download(ready_root, uri)) == tag
        client.delete_registered_model("pairvae")
    register(ready_root, "pairvae", Spectrum())
    del far_files[:]
    folder = download(ready_root, "models:/pairvae/1")
    assert download(ready_root, "models:/pairvae/1") == folder and len(far_files) == 1
    program = folder / PROGRAM_FILE
    program.write_bytes(program.read_bytes()[:-1])  # a damaged copy is fetched anew
    assert download(ready_root, "models:/pairvae/1") == folder and len(far_files) == 2
    kept = ready_root / ".pairvae" / "models" / "pairvae" / "1"  # as earlier versions of pairvae kept them
    kept.mkdir()
    assert download(ready_root, "models:/pairvae/1") != kept


def test_files_that_are_not_those_registered_are_refused(shared_root: Path) -> None:
    number = register(shared_root, "changed", Spectrum())
    program = download(shared_root, f"models:/changed/{number}") / PROGRAM_FILE
    program.write_bytes(program.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"expected the files that were registered as models:/changed/1"):
        download(shared_root, f"models:/changed/{number}")


def test_a_run_that_is_gone_does_not_stop_a_registration(shared_root: Path) -> None:
    with start_run(shared_root, "pairvae", "deleted") as tracker:
        pass
    MlflowClient(tracking_uri=tracking_uri(shared_root)).delete_run(tracker.run_id or "")
    for run_id in (tracker.run_id, "0" * 32, "no id"):
        number = register(shared_root, "orphan", Spectrum(), run_id=run_id)
        connect(shared_root).set_registered_model_alias("orphan", CANDIDATE, str(number))
        found = version_for_alias(shared_root, "orphan", CANDIDATE)
        assert found is not None and found.run_id is None
