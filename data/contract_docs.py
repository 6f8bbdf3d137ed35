"""The contract's tables as Markdown for `data/README.md`; `python -m data.contract_docs` brings the file up to date."""

from pathlib import Path

from data.contract import TABLES, VERSION
from data.contract_schema import Column, Table

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- contract: begin (python -m data.contract_docs) -->", "<!-- contract: end -->"
KINDS = {"text": "text", "integer": "whole number", "number": "number", "day": "day", "truth": "true or false"}


def table_list() -> str:
    """Every table of the contract with its columns, keys and references, as Markdown."""
    return f"Contract version {VERSION}.\n\n" + "\n".join(_section(table) for table in TABLES)


def update_table_list(readme: str) -> str:
    """`readme` with the part between the two markers replaced by the contract in force.

    Raises ValueError where a marker is missing.
    """
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The text must hold the lines {BEGIN!r} and {END!r}, in this order.")
    return f"{before}{BEGIN}\n{table_list()}{END}{after}"


def _section(table: Table) -> str:
    facts = [f"Key: {_code(table.key)}."]
    facts += [f"{_code(reference.columns)} must be in `{reference.table}`." for reference in table.references]
    if table.one_of:
        facts.append(f"At least one of {_code(table.one_of)} is given.")
    rows = "".join(f"| `{c.name}`{'*' if c.required else ''} | {_values(c)} | {c.meaning} |\n" for c in table.columns)
    need = "required" if table.required else "optional"
    return (
        f"### {table.name} ({need})\n\n{table.meaning} {' '.join(facts)}\n\n"
        f"| column | values | meaning |\n|---|---|---|\n{rows}"
    )


def _values(column: Column) -> str:
    if column.choices:
        return ", ".join(column.choices)
    low, high, above = column.minimum, column.maximum, column.above
    if low is not None and high is not None:
        return f"{KINDS[column.kind]}, {low:g} to {high:g}"
    bounds = [f"above {above:g}"] if above is not None else []
    bounds += [f"at least {low:g}"] if low is not None else []
    bounds += [f"at most {high:g}"] if high is not None else []
    lengths = [f"up to {column.longest:,} characters"] if column.free else []
    return ", ".join([KINDS[column.kind], *bounds, *lengths])


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    README.write_text(update_table_list(README.read_text(encoding="utf-8")), encoding="utf-8")
