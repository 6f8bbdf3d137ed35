"""Reports of benchmarks: interleaved medians, and results as JSON and as a Markdown page with the machine."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def interleaved_medians(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each contestant; every round runs all of them, so that a busy minute is everybody's."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant()  # warm caches and compiled code
    for _ in range(rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def machine() -> dict[str, str]:
    """Processor, cores, memory, system and Python."""
    processor = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [line for line in about.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "memory": f"{memory_gib:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Installed versions."""
    return {package: version(package) for package in packages}


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_report(name: str, title: str, measured: Mapping[str, Any], sections: Sequence[str]) -> Path:
    """Write results/NAME.json (everything measured) and results/NAME.md (title, sections, machine); return the page."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(measured, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    where = {**measured.get("machine", {}), **measured.get("versions", {})}
    ran_on = "Machine and versions: " + ", ".join(f"{key} {value}" for key, value in where.items()) + "."
    page = RESULTS / f"{name}.md"
    page.write_text("\n\n".join([f"# {title}", *sections, ran_on]) + "\n", encoding="utf-8")
    return page
