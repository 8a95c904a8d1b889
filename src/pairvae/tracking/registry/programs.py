"""Check that a pt2 program can be loaded without running code from its archive.

``torch.export.load`` unpickles what an archive declares as a pickle, falls back to unpickling where safe loading
fails, loads compiled libraries, evaluates size expressions as Python, and calls any ``torch.*`` name in a node. A
program written by :func:`pairvae.tracking.registry.registration.register_program` needs only arithmetic on tensors.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

PLAIN = re.compile(
    r"data/(weights/weight_\d+|constants/tensor_\d+|(weights|constants)/model_(weights|constants)_config\.json"
    r"|sample_inputs/model\.pt)|models/model\.json|archive_format|archive_version|byteorder|\.data/[a-z_]+"
)
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
NEEDED = {
    *CONFIGS,
    "models/model.json",
    "archive_format",
}  # without them torch reads an older, pickled format
OPERATIONS = re.compile(
    r"torch\.ops\.aten\.[a-z0-9_]+\.\w+|torch\.sym_(int|float|max|min|not|sqrt|sum)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pos|pow|getitem|eq|ne|lt|le|gt|ge|and_|or_)",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W\d]\w*")
WORDS = re.compile(
    r"[suz]f?\d+|Symbol|Integer|Float|positive|nonnegative|integer|True|False|Add|Mul|Pow|Max|Min|Mod|PythonMod"
    r"|FloorDiv|CleanDiv|IntTrueDiv|ModularIndexing|Eq|Ne|Lt|Le|Gt|Ge"
)
SIZE = re.compile(r"[\w\s+\-*/(),='<>]{0,2000}")
EXAMPLES = "data/sample_inputs/model.pt"


def program_fault(path: Path) -> str | None:
    """What in a pt2 file could run code or is damaged; None for a safe program."""
    try:
        records = torch._C.PyTorchFileReader(str(path))
        names = list(records.get_all_records())
        with zipfile.ZipFile(path) as archive:
            listed = [name.partition("/")[2] for name in archive.namelist()]
        foreign = sorted(name for name in {*names, *listed} if not PLAIN.fullmatch(name))
        if foreign or sorted(names) != sorted(listed) or not set(names) >= NEEDED:
            return f"{foreign[0][:60]!r}" if foreign else "another archive than torch.export writes"
        for name in CONFIGS:
            fault = _config_fault(json.loads(records.get_record(name)))
            if fault is not None:
                return fault
        fault = _model_fault(json.loads(records.get_record("models/model.json")))
        if fault is not None:
            return fault
        if EXAMPLES in names:
            torch.load(io.BytesIO(records.get_record(EXAMPLES)), weights_only=True)
    except pickle.UnpicklingError:
        return "pickled objects"
    except (
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        zipfile.BadZipFile,
    ):
        return "a damaged program"
    return None


def _model_fault(model: object) -> str | None:
    """A call that is not arithmetic, or a size that is not a formula, anywhere in the graph."""
    waiting = [model]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            nodes = item.get("nodes", [])
            called = [node["target"] for node in nodes]
            size = item.get("expr_str", "")
            if not all(OPERATIONS.fullmatch(target) for target in called):
                other = next(target for target in called if not OPERATIONS.fullmatch(target))
                return f"a call of {str(other)[:60]!r}"
            if not SIZE.fullmatch(size) or not all(WORDS.fullmatch(word) for word in WORD.findall(size)):
                return f"the expression {size[:60]!r}"
    return None


def _config_fault(config: dict[str, Any]) -> str | None:
    for entry in config["config"].values():
        plain = re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"])
        if entry["use_pickle"] is not False or plain is None:
            return f"the pickle {str(entry['path_name'])[:60]!r}"
    return None
