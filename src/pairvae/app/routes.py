"""Requests that both servers answer: predictions as JSON, PNG or zip, the latent plane and its points."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

import pairvae
from pairvae.app.answers import as_json, as_zip, finite, png
from pairvae.app.model_choice import Models
from pairvae.app.queries import MOST_SAMPLES, Asked, Coordinate, Known, ModelName, Name, Seed, Source, Target
from pairvae.app.uploads import DOOR, FullError, measured, several, target_of, technique_of, upload_of
from pairvae.errors import InputError
from pairvae.inference.explanation import BestGuess, Explained, best_guess, explain, explain_point, plane
from pairvae.inference.measurement import doubt, require_use, taken_by
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import HDF5_SUFFIXES

T = TypeVar("T")

FILE = {
    "requestBody": {
        "required": True,
        "description": "the bytes of one image file: png, jpg, tif, npy",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
REFUSED = {
    "description": "the file or a parameter is invalid; `error` names the problem and its remedy in one line",
    "content": {"application/json": {"schema": {"type": "object", "required": ["error"],
                                                 "properties": {"error": {"type": "string"}}}}},
}  # fmt: skip
ANSWERS: dict[int | str, dict[str, Any]] = {
    400: REFUSED,
    **{code: {**REFUSED, "description": words} for code, words in (
        (403, "another host or site"), (401, "no token"), (408, "sent too slowly"), (413, "too large"),
        (503, "too many requests at once"), (504, "took too long"), (507, "no room for the file on the server"),
    )},
}  # fmt: skip


def bytes_of(kind: str) -> dict[int | str, dict[str, Any]]:
    """The description of an answer that is a file."""
    return {200: {"content": {kind: {}}}}


class Work:
    """One thread for all predictions: two at a time slow each other down."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="predict")

    async def do(self, action: Callable[[], T]) -> T:
        """The result of ``action``, computed in that thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, action)


def refused(_: Request, error: Exception) -> Response:
    """An ``InputError`` as status 400."""
    return JSONResponse({"error": str(error)}, status_code=400)


def full(_: Request, error: Exception) -> Response:
    """A ``FullError`` as status 507."""
    return JSONResponse({"error": str(error)}, status_code=507)


def application(title: str, models: Models, *further: Callable[[APIRouter, Models, Work], None]) -> FastAPI:
    """An application with the routes under ``/api`` and those that ``further`` add.

    ``/api/openapi.json`` describes it, with no page of its own.
    """
    app = FastAPI(
        title=title,
        version=pairvae.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(InputError, refused)
    app.add_exception_handler(FullError, full)
    work = Work()
    router = routes(models, work)
    for add in further:
        add(router, models, work)
    app.include_router(router)
    return app


def routes(models: Models, work: Work) -> APIRouter:
    """The routes under ``/api``."""
    router = APIRouter(prefix="/api", responses=ANSWERS)

    @router.get("/about")
    async def about(model: ModelName = "") -> dict[str, Any]:
        """Models and limits; the modalities of one of the models, and the conditions that it takes."""
        return await work.do(lambda: _about(models, models.get(model or models.first)))

    _add_predictions(router, models, work)
    _add_technique(router, models, work)
    _add_best_guess(router, models, work)
    _add_latent_space(router, models, work)
    return router


def _add_predictions(router: APIRouter, models: Models, work: Work) -> None:
    """Predictions with their numbers, as JSON and as a zip archive."""

    @router.post("/predict", openapi_extra=FILE)
    async def predict(
        request: Request, asked: Annotated[Asked, Depends()], known: Annotated[Known, Depends()]
    ) -> dict[str, Any]:
        """The other measurement, predicted from a file: pictures, numbers, a curve, warnings."""
        content = await request.body()
        explained = await work.do(lambda: _explained(models, content, asked, known))
        return await work.do(lambda: as_json(explained, _shown_name(asked)))

    @router.post(
        "/predict.zip", openapi_extra=FILE, response_class=Response, responses=bytes_of("application/zip")
    )
    async def predict_zip(
        request: Request, asked: Annotated[Asked, Depends()], known: Annotated[Known, Depends()]
    ) -> Response:
        """The same as files in a zip archive."""
        content = await request.body()
        explained = await work.do(lambda: _explained(models, content, asked, known))
        title = models.choices[asked.model or models.first].title
        conditions = known.acquisition.conditions
        facts = {"model": title, "seed": asked.seed, "pairvae": pairvae.__version__}
        facts |= {"conditions": dict(conditions)} if conditions else {}
        packed = await work.do(lambda: as_zip(explained, _shown_name(asked), facts))
        return Response(packed, media_type="application/zip")


def _add_technique(router: APIRouter, models: Models, work: Work) -> None:
    """What a file is."""

    @router.post("/technique", openapi_extra=FILE)
    async def technique(request: Request, name: Name = "", model: ModelName = "") -> dict[str, str | None]:
        """The modality that a file looks like; null where that is not clear."""
        content = await request.body()

        def look() -> str | None:
            return technique_of(upload_of(content, name), models.get(model or models.first))

        return {"source": await work.do(look)}


def _add_best_guess(router: APIRouter, models: Models, work: Work) -> None:
    """The picture alone."""

    @router.post("/predict.png", openapi_extra=FILE, response_class=Response, responses=bytes_of("image/png"))
    async def predict_png(
        request: Request,
        source: Source,
        known: Annotated[Known, Depends()],
        name: Name = "",
        model: ModelName = "",
        seed: Seed = 0,
        target: Target = "",
    ) -> Response:
        """The best guess alone, as PNG; its distance from the training data as header ``X-Pairvae-Distance``."""
        content = await request.body()

        def draw() -> Response:
            predictor = _predictor(models, model, source)
            given = measured(upload_of(content, name), predictor, source, known.acquisition)
            chosen = target_of(predictor, source, target)
            return _picture(best_guess(predictor, given.array, source, seed, known.acquisition, chosen))

        return await work.do(draw)


def _add_latent_space(router: APIRouter, models: Models, work: Work) -> None:
    """The training pairs in latent space, and images at any point between them."""

    @router.get("/plane")
    async def latent_plane(modality: Source, model: ModelName = "") -> dict[str, Any]:
        """The training pairs on the principal plane of a latent space."""
        return await work.do(lambda: _plane(_predictor(models, model, modality), modality))

    @router.get("/point")
    async def point(
        modality: Source, x: Coordinate, y: Coordinate, model: ModelName = "", seed: Seed = 0
    ) -> list[dict[str, Any]]:
        """Images of both modalities at a point of that plane."""

        def generate() -> list[dict[str, Any]]:
            explanations = explain_point(_predictor(models, model, modality), modality, x, y, seed)
            return [as_json(explained, "") for explained in explanations]

        return await work.do(generate)


def _predictor(models: Models, model: str, modality: str) -> Predictor:
    """The requested model (``InputError`` for an unknown model or modality)."""
    predictor = models.get(model or models.first)
    predictor.shape(modality)
    return predictor


def _explained(models: Models, content: bytes, asked: Asked, known: Known) -> Explained:
    predictor = _predictor(models, asked.model, asked.source)
    target = target_of(predictor, asked.source, asked.target)
    files = several(content, asked.source, asked.beside or [])
    for name in files:
        predictor.shape(name)  # an unknown one is an InputError
    require_use(known.acquisition, sorted(files))
    read = {
        name: measured(
            upload_of(part, asked.name if len(files) == 1 else ""), predictor, name, known.acquisition
        )
        for name, part in files.items()
    }
    given = read[asked.source]

    def remarks(unlike: bool) -> Sequence[str]:
        looks = doubt(predictor, given, asked.source, DOOR) if unlike else None
        further = [line for one in read.values() if one is not given for line in one.remarks]
        return (*given.remarks, *([looks] if looks else ()), *further)

    return explain(
        predictor,
        {name: one.array for name, one in read.items()},
        asked.samples,
        asked.seed,
        remarks,
        known.acquisition,
        target,
    )


def _shown_name(asked: Asked) -> str:
    """The name of the file, safe to show."""
    return upload_of(b"", asked.name).name


def _picture(guess: BestGuess) -> Response:
    """The image as PNG; its distance from the training data goes into a header."""
    if MODALITIES[guess.target].coordinates is not None:
        raise InputError(expected="a modality of images", found="curves", where=guess.target)
    confidence = guess.confidence
    headers = {} if confidence is None else {"X-Pairvae-Distance": f"{confidence.distance:.3f}"}
    return Response(png(guess.image), media_type="image/png", headers=headers)


def _about(models: Models, predictor: Predictor) -> dict[str, Any]:
    return {
        "version": pairvae.__version__,
        "models": [
            {"name": name, "title": choice.title, "scores": dict(choice.scores)}
            for name, choice in models.choices.items()
        ],
        "modalities": [
            {
                "name": name,
                "title": MODALITIES[name].title,
                "partner": predictor.partner(name),
                "suffixes": sorted(MODALITIES[name].suffixes - HDF5_SUFFIXES),
                "known": sorted(taken_by(name)),
                "conditions": _conditions(predictor, name),
            }
            for name in predictor.modalities
        ],
        "samples": MOST_SAMPLES,
    }


def _conditions(predictor: Predictor, modality: str) -> list[dict[str, Any]]:
    """The conditions that move predictions from a modality: a number with its mean in training, or the known words."""
    shift = predictor.condition_shift
    if shift is None or shift.modality != modality or not shift.weight.any():
        return []
    numbers = [{"name": name, "mean": mean} for name, (mean, _) in shift.encoding.numbers.items()]
    words = [{"name": name, "words": list(shares)} for name, shares in shift.encoding.words.items()]
    return [*numbers, *words]


def _plane(predictor: Predictor, modality: str) -> dict[str, Any]:
    latents, ids, morphologies = plane(predictor, modality)
    return {
        "points": [finite(point) for point in latents.points],
        "ids": list(ids),
        "morphologies": list(morphologies),
        "shares": finite(np.asarray(latents.shares)),
    }
