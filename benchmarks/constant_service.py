"""Endpoints that return a constant, of BentoML and of FastAPI: what the frameworks cost by themselves."""

import bentoml
from fastapi import FastAPI


@bentoml.service(name="constant", workers=1, threads=4)
class Constant:
    """Answers every question alike."""

    @bentoml.api(route="/constant")  # type: ignore[untyped-decorator]
    async def constant(self) -> dict[str, bool]:
        """The constant, from the event loop, where `/score` of a few SKUs answers too."""
        return {"ok": True}

    @bentoml.api(route="/constant_from_thread")  # type: ignore[untyped-decorator]
    def constant_from_thread(self) -> dict[str, bool]:
        """The constant, from a thread, as a plain function of a BentoML service answers."""
        return {"ok": True}


application = FastAPI()
"""A plain FastAPI application, for uvicorn alone."""


@application.get("/livez")
async def livez() -> None:
    """Whether it is up."""


@application.post("/constant")
async def constant(question: dict[str, bool]) -> dict[str, bool]:
    """The constant."""
    return {"ok": not question}
