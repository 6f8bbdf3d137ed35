"""A BentoML endpoint that returns a constant: what the framework costs by itself."""

import bentoml


@bentoml.service(name="constant", workers=1, threads=4)
class Constant:
    """Answers every question alike."""

    @bentoml.api(route="/constant")  # type: ignore[untyped-decorator]
    def constant(self) -> dict[str, bool]:
        """The constant."""
        return {"ok": True}
