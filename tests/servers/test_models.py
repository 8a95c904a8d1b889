"""Registered models on a real MLflow server: a kept copy answers for its own model alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from torch import nn

from pairvae.tracking.database import connect
from pairvae.tracking.registry.aliases import CHAMPION, download
from pairvae.tracking.registry.model_files import CONTENT_TAG, content_digest
from pairvae.tracking.registry.registration import About, register_program
from servers.services import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(f"sqlite:///{folder}/runs.db", folder)
    server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    yield server.uri
    server.stop()


def test_version_1_after_a_deletion_is_another_model(uri: str, tmp_path: Path) -> None:
    root, client = tmp_path / "project", MlflowClient(tracking_uri=uri)
    root.mkdir()
    (root / "params.yaml").write_text("preset: fast\n")
    folders = []
    for program in (nn.Linear(2, 2), nn.Linear(2, 3)):
        about = About("pairvae", run_id="0" * 32)
        number = register_program(root, "pairvae", program, torch.ones(2, 2), about)
        connect(root).set_registered_model_alias("pairvae", CHAMPION, str(number))
        tag = client.get_model_version("pairvae", "1").tags[CONTENT_TAG]
        folders.append(download(root, "models:/pairvae@champion"))
        assert number == 1 and content_digest(folders[-1]) == tag
        assert download(root, "models:/pairvae@champion") == folders[-1]
        client.delete_registered_model("pairvae")
    assert folders[0] != folders[1] and all(folder.is_relative_to(root) for folder in folders)
