"""One worker of `pairvae tune`: `python -m pairvae.commands.tune JOB`."""

from __future__ import annotations

import sys

from pairvae.commands.tune.work import work
from pairvae.commands.tune.workers import Job
from pairvae.errors import InputError
from pairvae.operating_system import take_interrupts


def main() -> None:
    """Take trials until the job is done; exit code 130 after Ctrl-C, 1 where something does not fit."""
    take_interrupts()
    try:
        work(Job.parse(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
