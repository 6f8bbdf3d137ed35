"""The feature list of the room's README, written from the catalogue: `python -m features.registry_docs`."""

from pathlib import Path

from features.registry import CATALOGUE
from features.version import feature_version, wording_version

README = Path(__file__).resolve().parent / "README.md"
START, END = "<!-- features: start -->\n", "<!-- features: end -->\n"
DIRECTION = {1: "more", -1: "less", 0: "either"}


def feature_list() -> str:
    """Every feature by group in Markdown: name, meaning, unit, entity, expected effect of a higher value on failing.

    Starts with the version of what is computed and the version of how it is worded.
    """
    versions = f"What is computed has the version `{feature_version()}`, how it is worded `{wording_version()}`.\n"
    groups = dict.fromkeys(feature.group for feature in CATALOGUE)
    return "\n".join([versions, *(_group_table(group) for group in groups)])


def with_feature_list(readme: str) -> str:
    """The README's text with the current list between its two marks."""
    before, rest = readme.split(START)
    return before + START + "\n" + feature_list() + "\n" + END + rest.split(END)[1]


def _group_table(group: str) -> str:
    rows = [
        f"| `{feature.name}` | {feature.meaning} | {feature.unit} | {feature.entity} | {DIRECTION[feature.direction]} |"
        for feature in CATALOGUE
        if feature.group == group
    ]
    heading = [f"### {group.capitalize()} ({len(rows)})", "", "| name | meaning | unit | entity | higher fails |"]
    return "\n".join([*heading, "|---|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    README.write_text(with_feature_list(README.read_text(encoding="utf-8")), encoding="utf-8")
