"""A process that has imported everything once and forks a child for each command: `python -m faults.warm`.

Jobs come as JSON lines on stdin, answers go as JSON lines to stdout. Each child runs pairvae's own command line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from faults.injector import WORKER_KILLED, Injector, of_job

PR_SET_CHILD_SUBREAPER = 36
ORPHANS_END_S = 20.0
LEFT = 97  # exit code of a child that ended with a traceback


def main() -> None:
    """Answer jobs until stdin ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans of a killed child come to us
    os.sched_setaffinity(
        0, {max(os.sched_getaffinity(0))}
    )  # one core: no worker processes, the same order always
    _import_all()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


def _import_all() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import torch

    torch.set_num_threads(1)
    import matplotlib.figure
    import matplotlib.pyplot
    import torch._dynamo  # an optimiser's first step would import it in every child

    import pairvae.cli
    import pairvae.commands.predict
    import pairvae.commands.study
    import pairvae.commands.tune
    import pairvae.commands.tune.work
    import pairvae.commands.watch
    import pairvae.stages.assess
    import pairvae.stages.generate
    import pairvae.stages.pretrain
    import pairvae.stages.report
    import pairvae.tracking.runs.mlflow_run  # noqa: F401  # mlflow

    matplotlib.figure.Figure.savefig = _sketched  # type: ignore[method-assign]  # 18 s of drawing are not the point


def _sketched(_: Any, target: Any, format: str = "png", **__: Any) -> None:
    """A blank picture instead of a drawing."""
    import cv2
    import numpy as np

    blank = cv2.imencode(".png", np.full((60, 80, 3), 255, np.uint8))[1].tobytes()
    content = (
        blank
        if format == "png"
        else b'<svg xmlns="http://www.w3.org/2000/svg" width="80pt" height="60pt"></svg>'
    )
    if hasattr(target, "write"):
        target.write(content)
    else:
        Path(target).write_bytes(content)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One command in a child, or those of ``together`` at once: how each ended."""
    jobs = job.get("together", [job])
    with tempfile.TemporaryDirectory() as scratch:
        places = [Path(scratch, str(number)) for number in range(len(jobs))]
        children = [_begun(one, place) for one, place in zip(jobs, places, strict=True)]
        ended = [_ended(*three) for three in zip(jobs, places, children, strict=True)]
        orphans = _reap()
    return {**ended[0], "orphans": orphans} if "together" not in job else {"ended": ended, "orphans": orphans}


def _begun(job: dict[str, Any], place: Path) -> int:
    place.mkdir()
    child = os.fork()
    if child == 0:
        _in_child(job, place)
    return child


def _ended(job: dict[str, Any], place: Path, child: int) -> dict[str, Any]:
    """How a command ended, what it said and what it wrote."""
    status, usage, hung = _wait(child, job.get("kill_after_s"), job.get("timeout_s", 300.0))
    events = place / "events"
    return {
        "code": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "cpu_s": usage,
        "stdout": (place / "out").read_text("utf-8", "replace"),
        "stderr": (place / "err").read_text("utf-8", "replace"),
        "events": json.loads(events.read_text()) if events.is_file() else None,
        "orphans": 0,
    }


def _wait(child: int, kill_after_s: float | None, timeout_s: float) -> tuple[int, float, bool]:
    begun, hung = time.monotonic(), False
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return status, usage.ru_utime + usage.ru_stime, hung
        spent = time.monotonic() - begun
        if spent > timeout_s or (kill_after_s is not None and spent > kill_after_s):
            hung = hung or spent > timeout_s
            os.kill(child, signal.SIGKILL)
        time.sleep(0.004)


def _reap() -> int:
    """Wait for what a child left behind; how many had to be killed."""
    limit = time.monotonic() + ORPHANS_END_S
    while True:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if not found:
            if time.monotonic() > limit:
                left = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
                for one in left:
                    os.kill(int(one), signal.SIGKILL)
                    os.waitpid(int(one), 0)
                return len(left)
            time.sleep(0.01)


def _in_child(job: dict[str, Any], place: Path) -> NoReturn:
    code = LEFT
    try:
        for number, name in ((0, os.devnull), (1, str(place / "out")), (2, str(place / "err"))):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(name, flags, 0o644), number)
        os.chdir(job["cwd"])
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        injector = of_job(job.get("fault"), Path(job["cwd"]))
        _prepare(job, injector, place / "worker")
        if job.get("who", "main") == "main":
            injector.arm()
        code = _command(job["argv"])
        written = json.loads((place / "worker").read_text()) if (place / "worker").is_file() else []
        (place / "events").write_text(json.dumps(injector.events + written))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(arguments: list[str]) -> int:
    from pairvae.cli import main as command_line

    sys.argv = ["pairvae", *arguments]
    try:
        command_line()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _prepare(job: dict[str, Any], injector: Injector, written: Path) -> None:
    """Leave tracking out where it is not the point, fork the workers of `tune`, end a watch that is done."""
    import pairvae.commands.study.grid as grid
    import pairvae.commands.tune.workers as workers
    import pairvae.stages.project as project

    if not job.get("track", False):
        assert project.open_project.__kwdefaults__ is not None
        project.open_project.__kwdefaults__["track"] = False
    armed = written if job.get("who") == "worker" else None
    workers.start = lambda tune_job, logs: Forked(tune_job, logs, injector, armed)  # type: ignore[assignment]
    grid.run_tasks = _run_here  # type: ignore[assignment]  # a new process would import everything anew
    if "until_rows" in job:
        table = Path(job["cwd"], job["table"])
        threading.Thread(target=_end_when, args=(table, job["until_rows"]), daemon=True).start()


def _run_here(function: Any, tasks: Any, **_: Any) -> Any:
    from pairvae.parallel.tasks import run_task, task_result

    return (task_result(task, run_task(function, task)) for task in tasks)


def _end_when(table: Path, rows: int) -> None:
    while not (table.is_file() and table.read_bytes().count(b"\n") > rows):
        time.sleep(0.02)
    while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:  # all was done before, and it only just begins
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


class Forked:
    """A worker of `pairvae tune` as a fork of its coordinator, seen as ``subprocess.Popen`` shows it.

    The first is the one that is struck where there is an ``armed`` path, to which it tells its writes at its end.
    """

    def __init__(self, tune_job: Any, logs: Path, injector: Injector, armed: Path | None) -> None:
        self.returncode: int | None = None
        self.injector = injector
        armed = None if injector.used else armed  # the one that replaces it is left alone
        injector.used = True
        self.pid = os.fork()
        if self.pid:
            return
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            logs.mkdir(parents=True, exist_ok=True)
            log = os.open(
                logs / f"worker-{tune_job.worker}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
            )
            os.dup2(log, 1)
            os.dup2(log, 2)
            if armed:
                injector.arm()
            code = self._work(tune_job)
            if armed:
                armed.write_text(json.dumps(injector.events))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    @staticmethod
    def _work(tune_job: Any) -> int:
        from pairvae.commands.tune.work import work
        from pairvae.errors import InputError

        try:
            work(tune_job)
        except KeyboardInterrupt:
            return 130
        except InputError as error:
            print(error, file=sys.stderr)
            return 1
        return 0

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
                if self.returncode == -signal.SIGKILL:
                    self.injector.events.append(WORKER_KILLED)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        while self.poll() is None:
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
