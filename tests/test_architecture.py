"""The floors of docs/architecture.md hold: each imports only the floors below."""

import ast
from pathlib import Path

import pytest

import skae

PACKAGE = Path(skae.__file__).parent
DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"


def documented_floors():
    """Read the floor of each module from the table in the document."""
    floors = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].isdigit():
            for name in cells[2].replace("`", "").split():
                floors[name.removesuffix(".py").rstrip("/")] = int(cells[1])
    return floors


FLOORS = documented_floors()
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"
)


def top_level(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Yield the top-level modules of skae that a file imports."""
    parts = path.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = list(parts[: len(parts) - node.level])
            names = [node.module] if node.module else [a.name for a in node.names]
            for name in names:
                yield ([*base, *name.split(".")])[0]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None) or node.names[0].name
            yield f"external:{module}"


def test_every_module_has_a_floor_and_every_floor_its_modules():
    assert {top_level(path) for path in MODULES} == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_imports_go_down(path):
    here = top_level(path)
    for name in imported_modules(path):
        if not name.startswith("external:") and name != here:
            assert FLOORS[name] < FLOORS[here], f"{here} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_backends_stay_on_their_floor(path):
    external = {name.removeprefix("external:") for name in imported_modules(path)}
    roots = {name.split(".")[0] for name in external}
    assert not any("keras.src" in name for name in external)
    assert not roots & {"torch", "tensorflow"}
    if "jax" in roots:
        assert top_level(path) in {"_backend", "_training"}
    if "keras" in roots:
        assert path.name == "_backend.py"
    if "os" in roots:
        assert path.name == "_backend.py"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_files_are_small(path):
    lines = len(path.read_text().splitlines())
    # An estimator is mostly its documentation.
    is_estimator = (
        path.parent == PACKAGE and FLOORS[path.stem] == FLOORS["_autoencoder"]
    )
    assert lines <= (400 if is_estimator else 300)


def test_the_package_only_re_exports():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}
    assert sorted(skae.__all__) == skae.__all__
