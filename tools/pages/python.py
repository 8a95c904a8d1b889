"""The reference of the Python interface: one page for each part of the package, from its docstrings."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

HEAD = """# Python

```python
import pairvae

model = pairvae.load("models:/pairvae@champion")  # or a folder: models/train-pair
images = model.predict(patterns, source="saxs", target="sem", samples=8, seed=0)  # (N, 8, 192, 192) in {0, 1}
images = model.predict("new-pattern.edf", target="sem", samples=8)  # a file, a list of files, a raw array
mean, std = model.encode(patterns, "saxs").numpy()  # latents

model = pairvae.fit({"saxs": patterns, "sem": images})  # arrays or lists of files, without a project
model.save("my-model")  # for pairvae.load and `pairvae predict --model my-model`

pairvae.describe(images[0])  # phase fraction, spacing, orientation, ...
pairvae.two_point_correlation(images[0])  # S(r)
```

Whatever a user can mend is raised as [`InputError`](python/errors.md), also `pairvae.InputError`. What is not on this
page may change between minor versions.

"""
PARTS = "## Parts of the package\n\n"
INTERNAL = ("cli", "commands", "presets", "stages")


def pages(source: Path) -> dict[str, str]:
    """Markdown by path below ``reference/``: the public page, and one page a part with all its modules."""
    found: dict[str, str] = {}
    listed = []
    for part in sorted(source.iterdir()):
        if part.name.startswith("_") or part.name in INTERNAL or not _is_part(part):
            continue
        name = part.stem
        modules = _modules(part, source.name)
        summary = _summary(part)
        listed.append(f"* [`{source.name}.{name}`](python/{name}.md): {summary}")
        body = [f"# {source.name}.{name}", "", *(f"::: {module}\n" for module in modules)]
        found[f"python/{name}.md"] = "\n".join(body)
    found["python.md"] = HEAD + _public(source.name) + PARTS + "\n".join(listed) + "\n"
    return found


def _public(package: str) -> str:
    """The names that the package offers, functions first, not headed by the modules that they come from."""
    names = [name for name in import_module(package).__all__ if not name.startswith("_")]
    ordered = sorted(names, key=lambda name: name[0].isupper())
    whole = "    options:\n      inherited_members: true\n"
    return "".join(f"::: {package}.{name}\n{whole}\n" for name in ordered)


def _is_part(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _modules(part: Path, package: str) -> list[str]:
    """Dotted names of the modules of a part that say something in public, the part itself first."""
    files = [part] if part.is_file() else sorted(part.rglob("*.py"))
    names = []
    for file in files:
        inside = file.relative_to(part.parent).with_suffix("").parts
        dotted = ".".join((package, *(piece for piece in inside if piece != "__init__")))
        if not any(piece.startswith("_") and piece != "__init__" for piece in inside) and _says_something(
            file
        ):
            names.append(dotted)
    return names


def _says_something(file: Path) -> bool:
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) and not node.name.startswith("_") for node in tree.body)


def _summary(part: Path) -> str:
    file = part if part.is_file() else part / "__init__.py"
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())
