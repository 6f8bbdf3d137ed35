"""The pages of the console by their routes, so that what is promised of every page is tried on every page."""

from fastapi.routing import APIRoute

from serving.console.app import ROUTERS

DOWNLOADS = (".csv", ".txt", ".json", ".bin")
NO_PAGE = "/{path:path}"


def page_routes() -> set[str]:
    """The path of every page that can be opened, with its parameters in braces; downloads are no pages."""
    routes = [each for router in ROUTERS for each in router.routes if isinstance(each, APIRoute)]
    opened = {each.path for each in routes if "GET" in (each.methods or ())}
    return {path for path in opened if not path.endswith(DOWNLOADS)} | {NO_PAGE}
