"""The tracker of a run: calls are written to the outbox in microseconds, and a thread sends them."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from mlflow.utils import mlflow_tags
from numpy.typing import NDArray

from pairvae.store.project_root import shown
from pairvae.tracking.runs.outbox import Outbox
from pairvae.tracking.runs.writer import FAULTS, RunWriter

INTERVAL_S = 4.0  # epochs within it go in one call
LONGEST_PAUSE_S = 30.0
PATIENCE_S = 30.0  # at the end of a run, for a store that is just coming back
THUMBNAIL = 256  # px, of the preview in the UI's grid
PREVIEW_QUALITY = 85  # percent: without loss it takes 43 ms instead of 5
IMAGE_NAME = re.compile(r"[\w\-./ ]+", re.ASCII)


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)


def tell(text: str) -> None:
    """One line on stderr, beside the progress bar."""
    print(f"tracking: {text}", file=sys.stderr, flush=True)


class Sender(threading.Thread):
    """Empties an outbox every ``INTERVAL_S``; while the store is away, less and less often."""

    def __init__(
        self,
        outbox: Outbox,
        writer: RunWriter,
        where: str,
        is_back: Callable[[], bool],
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(daemon=True, name="pairvae tracking")
        self._patience_s = patience_s
        self._outbox, self._writer, self._where, self._is_back = outbox, writer, where, is_back
        self._last, self._away = threading.Event(), False
        self._pause = INTERVAL_S

    def run(self) -> None:
        """Send until :meth:`finish`."""
        while not self._last.wait(self._pause):
            self._attempt()
        limit = time.monotonic() + self._patience_s
        self._attempt()
        while len(self._outbox) and self._away and time.monotonic() < limit:
            time.sleep(INTERVAL_S)
            self._attempt()

    def finish(self) -> bool:
        """Send the remaining entries, with retries; returns whether all have arrived."""
        self._last.set()
        self.join()
        return len(self._outbox) == 0

    def _attempt(self) -> None:
        # A dead server is asked with one short request first: the others try and wait for longer.
        if len(self._outbox) == 0 or (self._away and not self._is_back()):
            self._pause = min(2 * self._pause, LONGEST_PAUSE_S) if self._away else INTERVAL_S
            return
        try:
            for problem in self._writer.deliver(self._outbox):
                tell(shown(problem))
        except FAULTS as error:
            if not self._away:
                reason = shown(str(error).strip().partition("\n")[0])[:200]
                tell(f"{self._where} does not answer ({reason}); going on, entries wait on the disk")
            self._away = True
            return
        if self._away:
            tell(f"{self._where} is back, everything sent")
        self._away, self._pause = False, INTERVAL_S


class SpooledTracker:
    """A ``Tracker`` that writes to an outbox; it is valid within its ``start_run`` block."""

    def __init__(self, run_id: str, outbox: Outbox) -> None:
        self._run_id, self._outbox = run_id, outbox
        self._has_images = False

    @property
    def run_id(self) -> str:
        """MLflow's name of the run, 32 hexadecimal digits."""
        return self._run_id

    def log_params(self, params: Mapping[str, object]) -> None:
        """Settings. MLflow never changes one: a resumed run's changed value becomes the tag ``resumed.<key>``."""
        self._outbox.put("params", {"params": {key: str(value) for key, value in params.items()}})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Numbers at ``step`` (an epoch; 0 when None)."""
        values = {key: float(value) for key, value in metrics.items()}
        self._outbox.put("metrics", {"metrics": values, "step": step or 0, "time": now_ms()})

    def log_image(self, image: NDArray[np.uint8], name: str, step: int) -> None:
        """``(H, W)`` or ``(H, W, 3)`` in [0, 255]; ``ValueError`` for other arrays."""
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(f"expected uint8 (H, W) or (H, W, 3), found {image.dtype} {image.shape}")
        if not IMAGE_NAME.fullmatch(name):
            raise ValueError(f"expected a name of letters, digits and _-./ and spaces, found {name!r}")
        # As MlflowClient.log_image names them; a file that is sent twice keeps its name
        stem = f"{name.replace('/', '~')}+step+{step}+timestamp+{now_ms()}+{uuid.uuid4()}"
        self._outbox.put("files", {}, lambda folder: _write_image(image, folder / "images" / stem))
        if not self._has_images:  # a call to the store, which costs as much as the picture
            self.set_tags({mlflow_tags.MLFLOW_LOGGED_IMAGES: True})
        self._has_images = True

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """A copy of a file or of a folder's content, under ``folder``."""

        def copy(target: Path) -> None:
            destination = target / folder
            destination.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, destination, dirs_exist_ok=True)
            else:
                shutil.copy(path, destination)

        self._outbox.put("files", {}, copy)

    def log_text(self, text: str, name: str) -> None:
        """``text`` as the artifact ``name``."""

        def write(target: Path) -> None:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(text, encoding="utf-8")

        self._outbox.put("files", {}, write)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Tags, cut to MLflow's 8000 characters."""
        self._outbox.put("tags", {"tags": {key: str(value) for key, value in tags.items()}})

    def describe(self, text: str) -> None:
        """Markdown at the top of the run's page."""
        self.set_tags({mlflow_tags.MLFLOW_RUN_NOTE: text})

    def log_dataset(
        self, name: str, source: str, digest: str, context: str, counts: Mapping[str, int]
    ) -> None:
        """The data used, in the UI's column "Dataset"."""
        values = {"name": name, "source": source, "digest": digest, "context": context}
        self._outbox.put("dataset", {**values, "counts": dict(counts)})

    def set_status(self, status: str) -> None:
        """RUNNING again, or how the run ended (now)."""
        self._outbox.put("status", {"status": status, "time": now_ms()})


def _write_image(image: NDArray[np.uint8], stem: Path) -> None:
    """The picture as PNG, and a small one as WebP for the UI's grid."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    picture = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    lossy = [cv2.IMWRITE_WEBP_QUALITY, PREVIEW_QUALITY]
    for ending, kind, content, how in (
        (".png", ".png", picture, []),
        ("+compressed.webp", ".webp", small, lossy),
    ):
        done, encoded = cv2.imencode(kind, content, how)
        if not done:
            raise ValueError(f"expected an image that can be written as {kind}, found {image.shape}")
        stem.with_name(stem.name + ending).write_bytes(encoded.tobytes())
