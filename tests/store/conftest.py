from pathlib import Path

import pytest

VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, whose name holds a space and a percent sign; neither server nor DVC stage of the caller."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my project 50%"
    folder.mkdir()
    (folder / "params.yaml").write_text("preset: fast\n")
    return folder
