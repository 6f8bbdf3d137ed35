"""Independent fits on all cores, each on one."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


@cache
def use_one_blas_thread() -> None:
    """From here on numpy and scipy compute on the calling thread alone; small fits lose time by sharing.

    Sums do not depend on the number of cores then.
    """
    threadpool_limits(1, user_api="blas")


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Results of `function` in the order of `items`, as many at a time as this process has cores.

    LightGBM and numpy compute outside Python's lock, so that threads suffice and rows are shared. The results do not
    depend on the number of cores as long as `function` depends on its item only.
    """
    waiting = list(items)
    with ThreadPoolExecutor(max(1, min(len(waiting), os.cpu_count() or 1))) as pool:
        return list(pool.map(function, waiting))
