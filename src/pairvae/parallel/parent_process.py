"""What `pairvae repro` starts ends with it, however it ended: a kill leaves neither DVC nor a stage behind.

DVC hands no open files on to its stages, and starts them through a shell; so each looks whether the `repro` that its
environment names is still above it.
"""

from __future__ import annotations

import os
import threading
import time

from pairvae.operating_system import interrupt_main_thread

REPRO = "PAIRVAE_REPRO"  # the process that everything below it ends with
POLL_S = 0.5
STAGE_GRACE_S = 10.0  # after an interrupt
DVC_GRACE_S = 20.0  # DVC waits for its stage and then puts its locks away


def end_with_repro(grace_s: float = STAGE_GRACE_S) -> None:
    """Interrupt this process, like Ctrl-C, once the `pairvae repro` above it has gone; nothing where there is none."""
    above = os.environ.get(REPRO, "")
    if above.isdecimal():
        threading.Thread(target=_watch, args=(int(above), grace_s), daemon=True).start()


def _watch(above: int, grace_s: float) -> None:
    while _is_below(above):
        time.sleep(POLL_S)
    interrupt_main_thread()
    time.sleep(grace_s)
    os._exit(1)  # where Ctrl-C is ignored, as by what a script started with `&`


def _is_below(above: int) -> bool:
    """Whether process ``above`` is an ancestor: the children of one that ended have another parent at once."""
    import psutil

    process = os.getpid()
    try:
        while process > 0 and process != above:
            process = psutil.Process(process).ppid()
    except psutil.Error:  # a process in between has ended: look again next time
        return True
    return process == above
