"""One worker of `pairvae tune`: `python -m pairvae.stages.tune JOB`."""

from __future__ import annotations

import sys

from pairvae.errors import InputError
from pairvae.stages.tune.work import work
from pairvae.stages.tune.workers import Job


def main() -> None:
    """Take trials until the job is done; exit code 130 after Ctrl-C, 1 where something does not fit."""
    try:
        work(Job.parse(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
