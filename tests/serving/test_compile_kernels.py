"""What `serving.compile_kernels` compiles is all that a request needs."""

from tests.serving.conftest import Scored
from tests.serving.test_image import run_without_what_the_image_lacks

ASK_EVERYTHING = """
import gc
from datetime import date
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from data.database.connection import open_database
from data.workspace import Workspace
from serving.api.explain import explain_sku
from serving.api.screen import Listing, screener_of
from serving.compile_kernels import compile_kernels
from serving.online.store import open_online_store
from serving.schemas import Item

def compiled():
    kernels = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {(kernel.py_func.__module__, kernel.__name__, types) for kernel in kernels for types in kernel.signatures}

compile_kernels()
before = compiled()
assert {module for module, _, _ in before} >= {"models.treeshap.kernels", "sampling.design.draw"}, before
published, item = open_online_store(Workspace(Path(sys.argv[1]))), Item(sku_id="K-1", market="DE")
for items in ([item], [item] * 100):
    for explain in (True, False):
        assert len(published.answer(items, explain).scores) == len(items)
explain_sku(published, item)
listing = Listing(sku_id="NEW-1", market="DE", supplier_id="S-1", category="toys_3_plus")
screener_of(published).decide(listing, "listing", open_database("sqlite://"), date(2026, 7, 20))
assert published.plan(5000.0, 1).summary.tests
assert compiled() == before, compiled() - before
"""


def test_no_request_compiles_anything_after_it(scored: Scored) -> None:
    """Scores, explanations, a screening and a plan use the kernels for the very types that were compiled."""
    run_without_what_the_image_lacks(ASK_EVERYTHING, str(scored.workspace.home))
