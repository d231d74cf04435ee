"""The public names, their signatures and defaults change only where a reviewer sees it.

``tests/public_api.txt`` lists them. After a change that is meant, write it anew:

    python tests/test_public_api.py
"""

import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from conftest import run

import skae

LIST = Path(__file__).with_name("public_api.txt")
MODULES = [m.name for m in pkgutil.iter_modules(skae.__path__) if m.name[0] != "_"]


def parameters_of(function):
    """Return the parameters of a function with their defaults, as texts."""
    texts = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in texts:
            texts.append("*")
        if name != "self":
            texts.append(str(parameter.replace(annotation=parameter.empty)))
    return texts


def members_of(cls):
    """Yield a line for each public method and property that skae defines."""
    for name in sorted(dir(cls)):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        # Methods like `set_fit_request` are scikit-learn's.
        if name[0] == "_" or name.endswith("_request"):
            continue
        if owner.__module__.startswith("skae"):
            member = getattr(cls, name, None)
            parameters = ", ".join(parameters_of(member)) if callable(member) else None
            yield f".{name}" if parameters is None else f".{name}({parameters})"


def listed():
    """Yield the lines of the list."""
    for module in [skae, *(import_module(f"skae.{name}") for name in MODULES)]:
        for name in sorted(module.__all__):
            public = getattr(module, name)
            yield f"{module.__name__}.{name}"
            # These are long. On lines of their own, changes are easy to see.
            yield from (f"    {parameter}" for parameter in parameters_of(public))
            if inspect.isclass(public):
                yield from members_of(public)
            yield ""


def test_public_names_signatures_and_defaults_are_those_of_the_list():
    expected = LIST.read_text().splitlines()
    assert list(listed()) == expected, (
        "The public interface has changed. If this is meant, write the list anew by "
        "`python tests/test_public_api.py`. What users see of it belongs into "
        "CHANGELOG.md. docs/stability.md says how names and parameters may change."
    )


def test_modules_are_imported_when_they_are_used():
    result = run(f"""
import sys
import skae

names = {MODULES}
assert not [name for name in names if f"skae.{{name}}" in sys.modules]
assert set(names) <= set(dir(skae))
for name in names:
    assert getattr(skae, name) is sys.modules[f"skae.{{name}}"]
assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
""")
    assert result.returncode == 0, result.stderr


def test_a_module_without_its_extra_says_which_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling.base", None)
    monkeypatch.delitem(sys.modules, "skae.imbalance", raising=False)
    monkeypatch.delattr(skae, "imbalance", raising=False)
    with pytest.raises(AttributeError, match=r'pip install "skae\[imbalance\]"'):
        skae.imbalance.AutoencoderOverSampler()
    # `help(skae)` reads the members like this.
    assert "impute" in dict(inspect.getmembers(skae))


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="has no attribute 'imputation'"):
        _ = skae.imputation


if __name__ == "__main__":
    LIST.write_text("\n".join(listed()) + "\n")
