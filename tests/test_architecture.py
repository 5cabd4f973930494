"""The layers of ARCHITECTURE.md, held against what the code imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "kcore"

# A package may import those on later rows, never its siblings on the same row.
ROWS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("commands",),
    ("cluster", "kubelet"),
    ("standalone",),
    ("server", "controllers", "scheduler", "node", "proxy", "dns"),
    ("client",),
    ("registry",),
    ("store",),
    ("cel",),
    ("api",),
    ("kit",),
)
ROW_OF = {package: row for row, packages in enumerate(ROWS) for package in packages}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            if node.module == "kcore":
                yield from (f"kcore.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_lower_layers(path: Path) -> None:
    package = package_of(path)
    if package == "__init__":
        return
    for name in imported(path):
        if not name.startswith("kcore."):
            continue
        target = name.split(".")[1]
        if target == package:
            continue
        assert ROW_OF[target] > ROW_OF[package], f"{package} must not import {target} ({name})"


def test_every_package_has_its_place_in_the_layers() -> None:
    packages = {package_of(path) for path in modules()} - {"__init__"}
    assert packages == set(ROW_OF)


def test_only_the_server_and_the_doors_of_components_use_the_http_server() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in modules()
        if package_of(path) != "server"
        and path != ROOT / "kit" / "door.py"
        and any(name.startswith("aiohttp.web") for name in imported(path))
    ]
    assert offenders == []


@pytest.mark.parametrize("package", sorted(p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()))
def test_package_says_what_lives_there(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))
    assert docstring
    assert docstring.count(".") >= 2
