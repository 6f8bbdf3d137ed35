"""The shop of the console's tests, and a shopper's browser."""

from tests.serving.console.conftest import shop_home
from tests.serving.trust.conftest import trusted

__all__ = ["shop_home", "trusted"]
