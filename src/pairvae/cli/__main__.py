"""`python -m pairvae.cli`."""

from pairvae.cli import main

main()
