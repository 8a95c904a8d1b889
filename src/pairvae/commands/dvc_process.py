"""DVC's command line as `pairvae repro` starts it, with the run cache for outputs that DVC may not empty.

`pairvae repro` brings back what equal inputs gave before.
DVC leaves such outputs (``persist``) out of its run cache, since it does not clear their place. Below `pairvae repro`
the guard of the outputs has looked first, and looks again here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pairvae.parallel.parent_process import DVC_GRACE_S, end_with_repro


def use_run_cache() -> None:
    """Let this process's DVC save and restore runs of stages whose outputs persist."""
    from dvc.stage import cache

    able, create = cache._can_hash, cache.StageCache._create_stage

    def can_hash(stage: Any) -> bool:
        with _as_others(stage):
            return bool(able(stage))

    def create_stage(self: Any, *arguments: Any, **more: Any) -> Any:
        stage = create(self, *arguments, **more)
        stage.checkout = partial(_checkout, stage, stage.checkout)
        return stage

    cache._can_hash = can_hash
    cache.StageCache._create_stage = create_stage


@contextmanager
def _as_others(stage: Any) -> Iterator[None]:
    """The stage with outputs that do not persist."""
    persistent = [output for output in stage.outs if output.persist]
    for output in persistent:
        output.persist = False
    try:
        yield
    finally:
        for output in persistent:
            output.persist = True


def _checkout(stage: Any, checkout: Callable[..., Any], **options: Any) -> Any:
    """Put files of the cache in the place of those that pairvae wrote."""
    from pairvae.store.outputs import refuse_outputs
    from pairvae.store.written import WrittenFiles

    folder = Path(stage.wdir)
    refuse_outputs(
        WrittenFiles(folder), [Path(out.fs_path).relative_to(folder).as_posix() for out in stage.outs]
    )
    return checkout(**{**options, "force": True})


def main() -> None:
    """Run DVC with the arguments of this process."""
    end_with_repro(DVC_GRACE_S)  # first: what follows takes a second
    from dvc.cli import main as dvc

    use_run_cache()
    sys.argv[0] = "dvc"  # which DVC's locks are told of
    sys.exit(dvc(sys.argv[1:]))


if __name__ == "__main__":
    main()
