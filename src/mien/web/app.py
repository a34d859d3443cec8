"""The routes: each reads the request, calls one use case off the event loop, and answers."""

# no postponed annotations here: FastAPI reads them, and some name what is local to a function

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Form, Query, Request, UploadFile
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.formparsers import MultiPartParser

from mien import __version__
from mien.app import verify as use_cases
from mien.app.messages import enrollment_data
from mien.app.pipeline import Pipeline
from mien.errors import ExitCode, NoFaceFound, SeveralFacesFound
from mien.faces.quality import measure_quality
from mien.media.image_file import read_image
from mien.results import ModelId
from mien.vault.integrity.audit_log import describe_entries
from mien.vault.records.record import check_user_name
from mien.vault.vault import Vault
from mien.web import schemas
from mien.web.error_handlers import NOTHING, NoToken, answer_faults
from mien.web.log import Now, Write, now_utc, write_line
from mien.web.metrics import Metrics
from mien.web.middleware import Guard, Limits
from mien.web.openapi import describe, says
from mien.web.pool import Gate
from mien.web.responses import OutcomeResponse, decided, told
from mien.web.routes.explore import MAX_PHOTOS, explored
from mien.web.routes.people import people_data
from mien.web.tokens import Tokens, allows

PAGE = Path(__file__).parent / "page"
MAX_NAME = 256  # of what is sent; check_user_name says what a name may be


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of. pipeline_of: as for `open_door`; safe from several threads."""

    vault: Vault
    pipeline_of: Callable[[ModelId | None], Pipeline]
    tokens: Tokens
    gate: Gate
    limits: Limits
    metrics: Metrics = field(default_factory=Metrics)
    clock: Now = now_utc


POSTED = (401, 408, 413, 503)
TRIES = (*POSTED, 429)

User = Annotated[str, InPath(min_length=1, max_length=MAX_NAME, examples=["anna"])]


def make_app(parts: Parts, *, page: bool = True, log: Write = write_line) -> Guard:
    """The whole service as an ASGI application, behind its guard. page: with the page."""
    # nothing of a photo is to touch the disk: a form stays in memory, within the guard's limit
    MultiPartParser.spool_max_size = parts.limits.body.of_one + 1
    app = FastAPI(
        title="mien",
        version=__version__,
        summary="Face unlock that you can trust",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # an address is right or is answered as wrong
        openapi_url="/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        lifespan=_closing(parts),
    )
    answer_faults(app)
    _add_doors(app, parts)
    _add_people(app, parts)
    _add_rest(app, parts)
    if page:
        _add_page(app)
    app.openapi = describe(app)  # type: ignore[method-assign]
    return Guard(
        app,
        parts.limits,
        parts.metrics,
        parts.tokens,
        now=parts.clock,
        log=log,
        full=lambda: parts.gate.full,
    )


def _closing(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.gate.close()  # what was accepted is finished
        parts.vault.close()

    return lifespan


async def _may(request: Request) -> str:
    """The scope of the token, which the guard found to be enough for this route."""
    may: str | None = request.scope["mien"].may
    if may is None:
        raise NoToken
    return may


May = Annotated[str, Depends(_may)]


def _add_doors(app: FastAPI, parts: Parts) -> None:
    @app.post(
        "/v1/unlock", tags=["door"], responses=says(schemas.Decision, *TRIES, no=schemas.Decision)
    )
    async def unlock(
        user: Annotated[str, Form(min_length=1, max_length=MAX_NAME, examples=["anna"])],
        photo: Annotated[UploadFile, File()],
        may: May,
    ) -> Response:
        """Does the photo show this user? 403 for no, and for a name that nobody has."""
        content = await photo.read()
        decision = await parts.gate.run(
            lambda: use_cases.open_door(
                user,
                read_image(content),
                vault=parts.vault,
                pipeline_of=parts.pipeline_of,
                tell_unknown=False,
            )
        )
        parts.metrics.outcome(decision.outcome.name.lower())
        return decided(decision, all_of_it=allows(may, "enroll"))

    @app.post(
        "/v1/identify",
        tags=["door"],
        responses=says(schemas.Identified, 404, *TRIES, no=schemas.Identified),
    )
    async def identify(photo: Annotated[UploadFile, File()], may: May) -> Response:
        """Who of the enrolled is it? 403 for nobody."""
        content = await photo.read()
        found = await parts.gate.run(
            lambda: use_cases.identify(
                read_image(content), vault=parts.vault, pipeline=parts.pipeline_of(None)
            )
        )
        parts.metrics.outcome(found.decision.outcome.name.lower())
        return decided(found.decision, all_of_it=allows(may, "enroll"), user=found.user)

    @app.post(
        "/v1/compare", tags=["door"], responses=says(schemas.Decision, *POSTED, no=schemas.Decision)
    )
    async def compare(
        a: Annotated[UploadFile, File()],
        b: Annotated[UploadFile, File()],
        may: May,
    ) -> Response:
        """Do two photos show one person? Nothing is stored or counted."""
        first, second = await a.read(), await b.read()
        decision, _, _ = await parts.gate.run(
            lambda: use_cases.compare(
                read_image(first), read_image(second), parts.pipeline_of(None)
            )
        )
        return decided(decision, all_of_it=True)

    @app.post("/v1/look", tags=["door"], responses=says(schemas.Look, *POSTED, 422))
    async def look(photo: Annotated[UploadFile, File()], may: May) -> OutcomeResponse:
        """Where is the face, and what would make the photo better? Nothing is stored or counted."""
        content = await photo.read()
        return OutcomeResponse(
            await parts.gate.run(lambda: _looked(content, parts.pipeline_of(None)))
        )


def _looked(content: bytes, pipeline: Pipeline) -> dict[str, object]:
    image = read_image(content)
    size = {"width": int(image.shape[1]), "height": int(image.shape[0])}
    try:
        face = pipeline.door_face(image)
    except (NoFaceFound, SeveralFacesFound) as error:
        outcome = ExitCode(error.exit_code).name.lower()
        return {"outcome": outcome, "advice": [str(error)], "face": None, **size}
    quality = measure_quality(face, pipeline.crop(image, face))
    return {
        "outcome": "found",
        "advice": list(quality.advice),
        "face": {
            "box_xyxy": [round(float(edge), 1) for edge in face.box_xyxy],
            "points_xy": [[round(float(v), 1) for v in point] for point in face.points_xy],
        },
        **size,
    }


def _add_people(app: FastAPI, parts: Parts) -> None:
    @app.get("/v1/people", tags=["people"], responses=says(schemas.People, 401, 503))
    async def people(may: May) -> OutcomeResponse:
        """Who is enrolled, and how good each template is."""
        found = await parts.gate.run(lambda: people_data(parts.vault, parts.pipeline_of(None)))
        return OutcomeResponse({"outcome": "listed", "exit_code": 0, "people": found})

    @app.post(
        "/v1/people/{user}",
        tags=["people"],
        responses=says(schemas.Enrollment, *POSTED, 404, 409, 422),
    )
    async def enroll(
        user: User,
        photos: Annotated[list[UploadFile], File(max_length=MAX_PHOTOS)],
        may: May,
        mode: Annotated[Literal["new", "add", "replace"], Form()] = "new",
    ) -> OutcomeResponse:
        """Remember a face from photos: all of them, or none."""
        contents = [await photo.read() for photo in photos]
        enrollment = await parts.gate.run(
            lambda: use_cases.enroll(
                user,
                contents,
                pipeline=parts.pipeline_of(None),
                vault=parts.vault,
                mode=mode,
                clock=parts.clock,
            )
        )
        return OutcomeResponse(enrollment_data(user, enrollment))

    @app.delete(
        "/v1/people/{user}", tags=["people"], responses=says(schemas.Forgotten, 401, 404, 503)
    )
    async def forget(user: User, may: May) -> OutcomeResponse:
        """Remove a person's template."""
        gone = await parts.gate.run(lambda: use_cases.forget(user, parts.vault))
        return OutcomeResponse({"outcome": "forgotten", "exit_code": 0, "user": gone})

    @app.api_route("/v1/people/{user:path}", methods=["POST", "DELETE"], include_in_schema=False)
    async def no_name(user: str, may: May) -> OutcomeResponse:
        """What no name can be: with a slash in it, or nothing. The words say so."""
        check_user_name(user)
        return told("usage", 404, NOTHING)

    @app.get("/v1/log", tags=["people"], responses=says(schemas.Log, 401, 503))
    async def log(may: May, last: Annotated[int, Query(ge=1)] = 1000) -> OutcomeResponse:
        """What happened at the door, in words, oldest first; its whole chain was verified.

        last: how many lines of the newest; `earlier` says how many came before them.
        """
        entries = await parts.gate.run(parts.vault.log_entries)
        lines = describe_entries(entries, zone=timezone.utc)
        earlier = max(0, len(lines) - last)
        return OutcomeResponse({
            "outcome": "verified", "exit_code": 0, "entries": len(entries), "earlier": earlier,
            "words": lines[-last:],
        })  # fmt: skip


def _add_rest(app: FastAPI, parts: Parts) -> None:
    @app.post("/v1/explore", tags=["lab"], responses=says(schemas.Explored, *POSTED))
    async def explore(photos: Annotated[list[UploadFile], File()], may: May) -> OutcomeResponse:
        """The faces of photos, their similarities, and a map of them. Nothing is kept."""
        named = [(_safe_name(photo.filename), await photo.read()) for photo in photos]
        return OutcomeResponse(
            await parts.gate.run(lambda: explored(named, parts.pipeline_of(None)))
        )

    @app.get("/v1/health", tags=["service"], responses=says(schemas.Health))
    async def health() -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/v1/ready", tags=["service"], responses=says(schemas.Ready, 503))
    async def ready() -> Response:
        """Models are loaded and the vault opens: a call would be worked on."""
        await parts.gate.run(lambda: (parts.pipeline_of(None), parts.vault.holds_anybody()))
        return OutcomeResponse({"outcome": "ready"})

    @app.get(
        "/metrics", tags=["service"], response_class=PlainTextResponse, responses=says(None, 401)
    )
    async def metrics(may: May) -> Response:
        """Counters, for Prometheus."""
        text = parts.metrics.text(inside=parts.gate.inside)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _safe_name(name: str | None) -> str:
    """For a label on the page: never a path of ours, and printable."""
    kept = "".join(letter for letter in (name or "photo") if letter.isprintable())
    return kept[-80:] or "photo"


def _add_page(app: FastAPI) -> None:
    """The files of the page by name; no path that a client sends is opened."""
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}

    def answer(path: Path) -> Callable[[], Awaitable[Response]]:
        async def page() -> Response:
            return FileResponse(path, media_type=f"{kinds[path.suffix]}; charset=utf-8")

        return page

    files: Sequence[Path] = sorted(path for path in PAGE.iterdir() if path.suffix in kinds)
    for path in files:
        where = "/" if path.name == "index.html" else f"/{path.name}"
        app.add_api_route(where, answer(path), include_in_schema=False, methods=["GET"])
