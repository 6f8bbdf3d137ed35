"""The rooms: whose packages they are, how they are laid out, and what their READMEs promise."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("data", "features", "models", "sampling", "serving", "training")
SOURCES = [
    path.relative_to(REPOSITORY).as_posix()
    for room in (*ROOMS, "benchmarks", "tests") for path in sorted((REPOSITORY / room).rglob("*.py"))
]  # fmt: skip
PRODUCT = [path for path in SOURCES if path.startswith(tuple(f"{room}/" for room in ROOMS))]
LONGEST_FILE = 300


@pytest.fixture(scope="module")
def trees() -> Mapping[str, ast.Module]:
    """The syntax tree of every file of the product."""
    return {path: ast.parse((REPOSITORY / path).read_text(encoding="utf-8")) for path in PRODUCT}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_resolves_inside_this_repository(room: str) -> None:
    """An installed package of a room's name never shadows the room."""
    origin = importlib.import_module(room).__file__
    assert origin is not None
    assert Path(origin).resolve().parent == REPOSITORY / room


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_how_to_add_its_next_member_in_at_most_eight_steps(room: str) -> None:
    """Each room has a README with numbered lists, and each of them ends by the eighth step."""
    lines = (REPOSITORY / room / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("1. ")]
    assert not [line for line in lines if line.startswith("9. ")]


def test_the_readme_has_at_most_ninety_lines() -> None:
    """The README stays short enough to be read."""
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 90


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    """A file that grows past it holds two subjects."""
    lines = {path: (REPOSITORY / path).read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert not {path: count for path, count in lines.items() if count > LONGEST_FILE}


def test_no_files_import_each_other_in_a_circle(trees: Mapping[str, ast.Module]) -> None:
    """Each file can be read after those it imports; imports inside functions and for types count as well."""
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in PRODUCT}
    graph = {name: set(_imported(name, trees[path], modules)) - {name} for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"These files import each other: {circle.args[1]}")


def _imported(importer: str, tree: ast.Module, modules: Mapping[str, str]) -> Iterator[str]:
    is_package = Path(modules[importer]).name == "__init__.py"
    package = importer.split(".") if is_package else importer.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield from [name for name in (f"{module}.{alias.name}", module) if name in modules][:1]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)


def test_a_public_class_name_has_one_meaning(trees: Mapping[str, ast.Module]) -> None:
    """A reader who knows a class from one file never meets another of that name."""
    places = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}


def test_no_parameter_packs_arguments_into_a_tuple(trees: Mapping[str, ast.Module]) -> None:
    """Values of several kinds that travel together are a record with names."""
    packed = [
        f"{path}:{argument.lineno} {argument.arg}"
        for path, tree in trees.items() for argument in ast.walk(tree)
        if isinstance(argument, ast.arg) and argument.annotation is not None and _is_packed(argument.annotation)
    ]  # fmt: skip
    assert not packed


def _is_packed(annotation: ast.expr) -> bool:
    if not (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "tuple"):
        return False
    kinds = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
    return len({ast.unparse(kind) for kind in kinds if ast.unparse(kind) != "..."}) > 1


def _readmes() -> list[str]:
    foreign = {".venv", ".venv-explain", "workspace", "build", "node_modules"}
    own = [path for path in REPOSITORY.rglob("*.md") if foreign.isdisjoint(path.parts)]
    return sorted(
        path.relative_to(REPOSITORY).as_posix() for path in own if path.name in ("README.md", "CONTRIBUTING.md")
    )


@pytest.mark.parametrize("readme", _readmes())
def test_every_file_that_a_readme_names_exists(readme: str) -> None:
    """Names with a folder are meant from the root of the project or from the README's own folder."""
    text = (REPOSITORY / readme).read_text(encoding="utf-8")
    named = re.findall(r"`([\w./-]+\.(?:py|toml|html|css|js|json|npz|yaml|lock|md))`|\]\(([\w./-]+)\)", text)
    homes = (REPOSITORY, (REPOSITORY / readme).parent)
    names = {left or right for left, right in named}
    assert not sorted(name for name in names if not any((home / name).exists() for home in homes))


@pytest.mark.parametrize("path", PRODUCT)
def test_every_module_file_that_the_code_names_exists(path: str) -> None:
    """Docstrings and messages send nobody to a file that was moved."""
    names = {Path(name).name for name in re.findall(r"(?<![\w*])[\w/]+\.py\b", (REPOSITORY / path).read_text("utf-8"))}
    assert names <= {Path(each).name for each in (*SOURCES, "touchstone.py")}
