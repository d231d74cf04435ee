"""Imports follow the table of floors in docs/architecture.md.

A module imports only modules of lower floors. Inside a package the modules have an
order, too.
"""

import ast
from pathlib import Path

import pytest

import skae

PACKAGE = Path(skae.__file__).parent
DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"
)
FOLDERS = sorted({path.parent for path in MODULES})


def documented_floors():
    """Read the floor of each module from the table in the document."""
    floors = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].isdigit():
            for name in cells[2].replace("`", "").split():
                floors[name.rstrip("/")] = int(cells[1])
    return floors


FLOORS = documented_floors()


def child_name(folder, path):
    """Return the name of the module or package of a folder that contains a file."""
    return path.relative_to(folder).parts[0].removesuffix(".py")


def imports(path):
    """Yield the imports of a file: modules of skae as paths, others as names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path
            for _ in range(node.level):
                base = base.parent
            if node.module:
                yield base.joinpath(*node.module.split("."))
            else:
                for alias in node.names:
                    yield base / alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name


def imported_in(folder, path):
    """Yield the names of the folder's other modules that a file imports."""
    for imported in imports(path):
        if isinstance(imported, Path) and folder in imported.parents:
            name = child_name(folder, imported)
            if name != child_name(folder, path):
                yield name


def test_the_table_of_floors_lists_exactly_the_modules_of_the_package():
    assert {child_name(PACKAGE, path) for path in MODULES} == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_modules_import_only_from_lower_floors(path):
    here = child_name(PACKAGE, path)
    for name in imported_in(PACKAGE, path):
        assert FLOORS[name] < FLOORS[here], f"{here} imports {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_modules_of_a_package_have_no_circular_imports(folder):
    """The modules can be sorted so that each imports only earlier ones."""
    needs = {}
    for path in MODULES:
        if folder in path.parents and path.name != "__init__.py":
            here = child_name(folder, path)
            needs.setdefault(here, set()).update(imported_in(folder, path))
    while needs:
        ready = {name for name, others in needs.items() if not others & needs.keys()}
        assert ready, f"these modules import each other: {needs}"
        for name in ready:
            del needs[name]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_backends_and_keras_and_os_are_each_imported_in_one_place_only(path):
    roots = {name.split(".")[0] for name in imports(path) if isinstance(name, str)}
    names = {name for name in imports(path) if isinstance(name, str)}
    assert not any("keras.src" in name for name in names)
    engine = PACKAGE / "_engines"
    for backend in ("jax", "torch", "tensorflow"):
        if backend in roots:
            assert engine / backend in path.parents
    if "keras" in roots:
        assert path.name == "_keras.py"
    if "os" in roots:
        assert path.name == "_environment.py"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_init_files_only_re_export(folder):
    tree = ast.parse((folder / "__init__.py").read_text())
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_files_are_small(path):
    # Most lines of an estimator are documentation, so its file may be longer.
    is_estimator = path.parent == PACKAGE and (
        FLOORS[path.stem] == FLOORS["_autoencoder"]
    )
    lines = len(path.read_text().splitlines())
    assert lines <= (450 if is_estimator else 300)


def test_estimators_have_at_most_two_levels_of_base_classes():
    for name in (name for name in skae.__all__ if name[0].isupper()):
        above = [
            base
            for base in getattr(skae, name).__mro__[1:]
            if base.__module__.startswith("skae")
        ]
        depth = {}
        for base in reversed(above):
            depth[base] = 1 + max((depth.get(b, 0) for b in base.__bases__), default=0)
        assert max(depth.values()) <= 2, above


def test_the_public_names_are_sorted():
    assert sorted(skae.__all__) == skae.__all__
