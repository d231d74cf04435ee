"""The package is built as docs/architecture.md says: rooms, one after another."""

import ast
import statistics
from pathlib import Path

import skae

PACKAGE = Path(skae.__file__).parent
DOCUMENT = Path(__file__).parents[1] / "docs" / "architecture.md"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path != PACKAGE / "__init__.py"]


def documented_rooms():
    """Return the place of each room in the table of the document."""
    rooms = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].isdigit():
            for name in cells[2].replace("`", "").split():
                rooms[name.rstrip("/")] = int(cells[1])
    return rooms


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
            # The version stands in the package itself.
            if name not in (child_name(folder, path), "__version__"):
                yield name


def test_the_document_lists_exactly_the_rooms_of_the_package():
    assert {child_name(PACKAGE, path) for path in MODULES} == set(documented_rooms())


def test_modules_import_only_from_earlier_rooms():
    rooms = documented_rooms()
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in MODULES
        for name in imported_in(PACKAGE, path)
        if rooms[name] >= rooms[child_name(PACKAGE, path)]
    ]
    assert not wrong


def test_modules_of_a_package_do_not_import_each_other_in_a_circle():
    """The modules can be sorted so that each imports only earlier ones."""
    for folder in {path.parent for path in MODULES}:
        needs = {}
        for path in MODULES:
            if folder in path.parents and path.name != "__init__.py":
                here = child_name(folder, path)
                needs.setdefault(here, set()).update(imported_in(folder, path))
        while needs:
            ready = {name for name, others in needs.items() if not others & {*needs}}
            assert ready, f"these modules import each other: {needs}"
            for name in ready:
                del needs[name]


def test_keras_backends_and_os_are_each_imported_in_one_file():
    places = {
        "keras": "_keras.py",
        "os": "_environment.py",
        "jax": "_jax.py",
        "tensorflow": "_tensorflow.py",
        "torch": "_torch.py",
    }
    for path in MODULES:
        names = [name for name in imports(path) if isinstance(name, str)]
        assert not any(name.startswith("keras.src") for name in names), path
        for name in names:
            assert places.get(name.split(".")[0], path.name) == path.name, path


def test_init_files_only_re_export():
    for path in MODULES:
        if path.name == "__init__.py":
            kinds = {type(node) for node in ast.parse(path.read_text()).body}
            assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}, path


def test_the_package_itself_defines_only_how_its_modules_are_imported():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    defined = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    assert defined == ["__getattr__", "__dir__"]


def test_a_file_is_a_chapter():
    lengths = [len(path.read_text().splitlines()) for path in FILES]
    assert len(FILES) <= 85
    assert statistics.median(lengths) >= 150
    assert max(lengths) <= 700
    names = {path.stem.strip("_") for path in FILES}
    assert not names & {"utils", "helpers", "misc", "common", "config"}


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
