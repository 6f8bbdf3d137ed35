"""Importers by name: public files of laboratory results and of recalls turned into contract tables."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from data.errors import UserError
from data.importers.report import ImportCounts

Importer = Callable[[Path, Path], ImportCounts]

_IMPORTERS = {
    "nyc-metals": ("data.importers.nyc_metals", "import_nyc_metals"),
    "safety-gate": ("data.importers.safety_gate", "import_safety_gate"),
    "cpsc-recalls": ("data.importers.cpsc_recalls", "import_cpsc_recalls"),
}
IMPORTER_NAMES = tuple(_IMPORTERS)


def get_importer(name: str) -> Importer:
    """The importer `name`: a function of the source file and the folder to write that returns ImportCounts.

    Raises UserError where no importer has this name.
    """
    if name not in _IMPORTERS:
        raise UserError(f"There is no importer {name!r}. Choose one of: {', '.join(IMPORTER_NAMES)}.")
    module, function = _IMPORTERS[name]
    return cast(Importer, getattr(import_module(module), function))


__all__ = ["IMPORTER_NAMES", "ImportCounts", "Importer", "get_importer"]
