"""The code in the documentation runs, and docstrings agree with each other.

Blocks of one page share their names, as a reader would run them one after the other.
Blocks of recipes_libraries.md need the extra "recipes". They run in the weekly stage.
Blocks for other libraries that the tests do not install are marked ``{code-block}
python``.
"""

import doctest
import inspect
import re
import textwrap
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from sklearn.utils import estimator_html_repr
from sklearn.utils._testing import assert_docstring_consistency

import skae
import skae.imbalance
import skae.impute
import skae.inspection
import skae.onnx
import skae.outliers
import skae.plot
import skae.tables
from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.imbalance import AutoencoderOverSampler
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector
from skae.tables import TableEncoder

ROOT = Path(__file__).parents[1]
API = (ROOT / "docs" / "api.rst").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

MODULES = (
    skae,
    skae.imbalance,
    skae.impute,
    skae.inspection,
    skae.onnx,
    skae.outliers,
    skae.plot,
    skae.tables,
)
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
}
ESTIMATORS = [
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderOverSampler,
    TableEncoder,
]
DISPLAYS = [getattr(skae.plot, name) for name in skae.plot.__all__]


def name_of(public):
    return public.__qualname__


def blocks(page):
    """Yield the line before the first line of each block, and its code."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        yield text.count("\n", 0, match.start(2)), textwrap.dedent(match[2])


def run_blocks(page, folder, monkeypatch):
    """Run the blocks of a page, as a script in an empty folder does."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    names = {"__name__": "__main__"}
    for line, code in blocks(page):
        # Line numbers of errors are those of the page.
        exec(compile("\n" * line + code, page, "exec"), names)


NEEDS_RECIPES = ROOT / "docs" / "recipes_libraries.md"
PAGES_WITH_CODE = [
    page for page in PAGES if page != NEEDS_RECIPES and any(blocks(page))
]


@pytest.mark.docs
@pytest.mark.jax
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.usefixtures("close_figures")
def test_code_blocks_run(page, tmp_path, monkeypatch):
    run_blocks(page, tmp_path, monkeypatch)


LIBRARIES = ["mlflow.pyfunc", "optuna", "shap", "skrub"]
MISSING = [name for name in LIBRARIES if find_spec(name.split(".")[0]) is None]


@pytest.mark.docs
@pytest.mark.jax
@pytest.mark.slow
@pytest.mark.weekly
@pytest.mark.skipif(bool(MISSING), reason="needs the extra skae[recipes]")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
def test_code_blocks_with_other_libraries_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DO_NOT_TRACK", "true")  # MLflow would report its use
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from imports of these libraries
        for name in LIBRARIES:
            import_module(name)
    run_blocks(NEEDS_RECIPES, tmp_path, monkeypatch)


@pytest.mark.docs
@pytest.mark.jax
@pytest.mark.parametrize("public", PUBLIC.values(), ids=PUBLIC)
@pytest.mark.usefixtures("close_figures")
def test_docstring_examples_run(public):
    tests = doctest.DocTestFinder(recurse=False).find(public, public.__name__)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


GALLERY = sorted(ROOT.glob("examples/plot_*.py"))


@pytest.mark.parametrize("example", GALLERY, ids=lambda example: example.name)
def test_examples_also_run_as_notebooks(example):
    # A notebook has no arguments and no name of a script, and shows figures itself.
    text = example.read_text()
    for word in ("argparse", "sys.argv", "matplotlib.use", "__file__"):
        assert word not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_python_is_found(page):
    """A block with another mark, or in a quotation, would not run."""
    text = page.read_text()
    marks = re.findall(r"^[ >]*[`~]{3,} *(py\w*|Python.*)$", text, re.MULTILINE)
    assert marks == ["python"] * len(list(blocks(page)))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_html_links_to_the_page_of_the_api(estimator):
    name = f"{estimator.__module__}.{estimator.__name__}"
    links = set(
        re.findall(r'href="(https://skae[^"#]+)', estimator_html_repr(estimator()))
    )
    assert links == {f"https://skae.readthedocs.io/en/stable/api/{name}.html"}


def test_the_api_lists_exactly_the_public_names():
    # Sphinx names a page after its entry in the list, in the module skae.
    found = re.findall(r"^   ((?:\w+\.)?\w+)$", API, re.MULTILINE)
    assert sorted(f"skae.{name}" for name in found) == sorted(PUBLIC)


def documented_names(documented, section):
    return [n for p in documented[section] for n in p.name.split(", ")]


def parameters_of(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("cls", [*ESTIMATORS, *DISPLAYS], ids=name_of)
def test_parameters_of_classes_are_documented(cls):
    # Pairs such as encoder and decoder share one description.
    names = documented_names(ClassDoc(cls), "Parameters")
    assert sorted(names) == sorted(parameters_of(cls))


FUNCTIONS = [one for one in PUBLIC.values() if inspect.isfunction(one)]
METHODS = {
    method.__qualname__: method
    for cls in [*ESTIMATORS, *DISPLAYS]
    for name in dir(cls)
    if not name.startswith("_")
    and inspect.isroutine(method := getattr(cls, name, None))
    and method.__module__.startswith("skae")
}


@pytest.mark.parametrize("function", [*FUNCTIONS, *METHODS.values()], ids=name_of)
def test_parameters_of_functions_are_documented(function):
    names = documented_names(FunctionDoc(function), "Parameters")
    assert sorted(names) == sorted(parameters_of(function))


SOMETIMES = {
    "feature_names_in_",  # of data frames
    "n_samples_seen_",  # after partial_fit
    *("coef_", "intercept_", "classes_"),  # with target_weight
}
"""Attributes that some fits do not set."""


@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderTransformer(hidden_layer_sizes=()),
        VariationalAutoencoderTransformer(
            hidden_layer_sizes=(4,), max_iter=1, early_stopping=False
        ),
        AutoencoderImputer(max_iter=0),
        AutoencoderOutlierDetector(AutoencoderTransformer(hidden_layer_sizes=())),
        AutoencoderOverSampler(AutoencoderTransformer(hidden_layer_sizes=())),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_attributes_of_estimators_are_documented(estimator, digits):
    cls = type(estimator)
    names = documented_names(ClassDoc(cls), "Attributes")
    fit = getattr(estimator, "fit_resample", estimator.fit)
    fit(digits[:50], [0] * 20 + [1] * 30)
    # `dir` of a fitted estimator leaves out Keras models that are not built yet.
    found = {
        name
        for name in {*dir(estimator), *dir(cls)}
        if name.endswith("_") and not name.startswith("_")
    }
    assert found == set(names) - SOMETIMES


OWN_PARAMETERS = {
    *("image_shape", "filters", "kernel_size", "strides"),
    "hidden_layer_sizes",
    "activation",
    "learning_rate",
    "max_iter",
    "alpha",
    "early_stopping",
    "validation_fraction",
}
OWN_ATTRIBUTES = {
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "density_",
    "loss_curve_",
    "start_loss_",
}
"""What differs between the transformers, and so do its descriptions."""


def shared(section, objects, kind, own=frozenset()):
    """Return what all objects document, less what is described differently."""
    names = [{p.name for p in kind(one)[section]} for one in objects]
    return sorted(set.intersection(*names) - own)


def test_transformers_describe_alike_what_they_share():
    objects = [AutoencoderTransformer, VariationalAutoencoderTransformer]
    parameters = shared("Parameters", objects, ClassDoc, OWN_PARAMETERS)
    assert len(parameters) > 7
    assert_docstring_consistency(objects, include_params=parameters)
    attributes = shared("Attributes", objects, ClassDoc, OWN_ATTRIBUTES)
    assert len(attributes) > 10
    assert_docstring_consistency(objects, include_attrs=attributes)


def test_all_estimators_describe_alike_what_they_share():
    attributes = shared("Attributes", ESTIMATORS, ClassDoc)
    assert set(attributes) == {"n_features_in_", "feature_names_in_"}
    assert_docstring_consistency(ESTIMATORS, include_attrs=attributes)


def described(cls_or_function, kind):
    """Return type and description of parameters and attributes, by name."""
    documented = kind(cls_or_function)
    entries = [*documented["Parameters"], *documented["Attributes"]]
    return {entry.name: (entry.type, *entry.desc) for entry in entries}


@pytest.mark.parametrize(
    ("names", "objects"),
    [
        ({"feature_names", "figure_"}, DISPLAYS),
        ({"ax", "image_shape"}, [display.from_estimator for display in DISPLAYS]),
        ({"image_kwargs"}, [display.plot for display in DISPLAYS]),
    ],
    ids=["classes", "from_estimator", "plot"],
)
def test_displays_describe_alike_what_they_share(names, objects):
    for name in names:
        kind = ClassDoc if objects is DISPLAYS else FunctionDoc
        found = [described(one, kind).get(name) for one in objects]
        given = [one for one in found if one is not None]
        assert len(given) > 1
        assert len(set(given)) == 1, name
