"""BentoML endpoints that return a constant: what the framework costs by itself, in its event loop and in a thread."""

import bentoml


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
