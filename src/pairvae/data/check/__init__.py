"""The check of a folder of pairs, and pictures that show a wrong pairing or threshold."""
