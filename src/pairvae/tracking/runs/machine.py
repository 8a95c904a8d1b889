"""Processor and memory use during a run, under the names of MLflow's page "System metrics"."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping

import psutil

MB = 1e6
SHORTEST_S = 1.0  # a share of the processor over less says nothing


class Machine:
    """Measures the machine, this process, and NVIDIA's GPUs where the package nvidia-ml-py is installed."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._gpus = _gpus()
        self.measured()  # shares of the processor count from the call before

    def measured(self) -> dict[str, float]:
        """Megabytes, and percent since the last call: of all cores for the machine, of one for the process."""
        memory = psutil.virtual_memory()
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": round(memory.used / MB, 1),
            "system/system_memory_usage_percentage": round(100 * memory.used / memory.total, 1),
            "system/process_cpu_percentage": self._process.cpu_percent(),
            "system/process_memory_megabytes": round(self._process.memory_info().rss / MB, 1),
            **self._gpus(),
        }


def _gpus() -> Callable[[], dict[str, float]]:
    """MLflow's measurement of GPUs, or one of nothing where there is none."""
    try:
        importlib.import_module("pynvml")  # MLflow looks for it among the imported modules
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

        monitor = GPUMonitor()
    except (ImportError, RuntimeError):
        return dict

    def measure() -> dict[str, float]:
        monitor.clear_metrics()
        monitor.collect_metrics()
        return {f"system/{key}": float(value) for key, value in monitor.aggregate_metrics().items()}

    return measure


class Sampler(threading.Thread):
    """Logs what the machine does every ``seconds``, and once more at the end."""

    def __init__(self, log: Callable[[Mapping[str, float], int], None], seconds: float) -> None:
        super().__init__(daemon=True, name="pairvae system metrics")
        self._log, self._seconds, self._last = log, seconds, threading.Event()

    def run(self) -> None:
        """Measure until :meth:`finish`."""
        machine, step = Machine(), 0
        short = self._last.wait(min(SHORTEST_S, self._seconds))
        while not short:
            ended = self._last.wait(self._seconds)
            self._log(machine.measured(), step)
            step += 1
            if ended:
                return

    def finish(self) -> None:
        """End the thread; nothing is logged afterwards."""
        self._last.set()
        self.join()
