"""Damage and lies: edits of real files, drawn by hypothesis."""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

Edit = tuple[str, bool, int, int]
NEAR = 256  # bytes from the start, where most headers lie
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 60_000, 200_001)
NUMBERS += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)
SIZES = {"u16": 2, "u32": 4, "u64": 8}
OPERATIONS = (
    "flip", "byte", "u16", "u32", "u32", "u64", "cut", "drop", "double", "insert", "splice", "token",
)  # fmt: skip
JSON_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1, 2, 0.5, 1e308, float("nan"), float("inf"), 10**30, 65_535, "", "x", "../../x", "/etc/passwd",
    "\u0000", "é" * 300, [], {}, [[]], [1, 2, 3], {"a": 1}, ["x"] * 50, "safetensors", -(2**63), "1e3",
)  # fmt: skip


def edits(most: int = 4) -> st.SearchStrategy[list[Edit]]:
    """One to ``most`` edits: what, near the start or anywhere, where, and with what."""
    one = st.tuples(st.sampled_from(OPERATIONS), st.booleans(), st.integers(0, 65_535), st.integers(0, 1_023))
    return st.lists(one, min_size=1, max_size=most)


def edited(data: bytes, changes: Sequence[Edit], other: bytes, tokens: Sequence[bytes]) -> bytes:
    """``data`` with ``changes``; ``other`` gives its tail, ``tokens`` are words to put in."""
    out = bytearray(data)
    for what, near, place, value in changes:
        length = max(len(out), 1)
        at = place % (min(length, NEAR) if near else length)
        if what == "flip" and at < len(out):
            out[at] ^= 1 << (value % 8)
        elif what == "byte" and at < len(out):
            out[at] = value % 256
        elif what in SIZES:
            number = NUMBERS[value % len(NUMBERS)] % (1 << 8 * SIZES[what])
            out[at : at + SIZES[what]] = number.to_bytes(SIZES[what], "big" if value >= 512 else "little")
        elif what == "cut":
            del out[at:]
        elif what == "drop":
            del out[at : at + 1 + value % 64]
        elif what == "double":
            out[at:at] = out[at : at + 1 + value % 64] * (1 + value % 5)
        elif what == "insert":
            out[at:at] = bytes([value % 256]) * (1 + value % 9)
        elif what == "splice":
            out[at:] = other[value % max(len(other), 1) :]
        elif what == "token" and tokens:
            out[at : at + value % 7] = tokens[value % len(tokens)]
    return bytes(out)


def json_edited(data: bytes, changes: Sequence[Edit]) -> bytes:
    """A JSON text with some of its values replaced, left out or renamed."""
    value: Any = json.loads(data)
    for _, near, place, number in changes:
        places = list(_places(value))
        if not places:
            break
        holder, key = places[place % len(places)]
        if near and isinstance(holder, dict) and number % 4 == 0:
            holder[f"{key}x"] = holder.pop(key)
        elif near and number % 4 == 1:
            del holder[key]
        else:
            holder[key] = deepcopy(JSON_VALUES[number % len(JSON_VALUES)])
    return json.dumps(value).encode()


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def png_sums(data: bytes) -> bytes:
    """The check sums of a PNG's chunks put right, so that what lies behind them is reached."""
    out, place = bytearray(data), 8
    while place + 12 <= len(out):
        end = place + 8 + int.from_bytes(out[place : place + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[place + 4 : end]))
        place = end + 4
    return bytes(out)


def tar_sums(data: bytes) -> bytes:
    """The check sums of a tar's headers put right."""
    out = bytearray(data)
    for place in range(0, len(out) - 511, 512):
        if out[place + 257 : place + 262] == b"ustar":
            head = out[place : place + 148] + b" " * 8 + out[place + 156 : place + 512]
            out[place + 148 : place + 156] = b"%06o\0 " % sum(head)
    return bytes(out)


Repair = Callable[[bytes], bytes]
