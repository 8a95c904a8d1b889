"""Requests for explanations of predictions, and for samples to measure next."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from pairvae.app.model_choice import Models
from pairvae.app.queries import Known, ModelName, Name, Seed, Source, Target
from pairvae.app.routes import FILE, Work
from pairvae.app.uploads import measured, target_of, upload_of
from pairvae.commands.explain import drawing_of
from pairvae.commands.suggest.command import Choice, content_of, ranked
from pairvae.commands.suggest.ranking import Wanted
from pairvae.errors import InputError
from pairvae.inference.attribution import attribute
from pairvae.reports.encode import plot_picture
from pairvae.reports.explanations import explanation_png
from pairvae.reports.suggestions import card_pictures, suggestion_map
from pairvae.stages.project import open_project

MOST = 12
DPI = 110
Count = Annotated[int, Query(ge=1, le=MOST, description="samples to measure together")]


def add_reasons(router: APIRouter, models: Models, work: Work) -> None:
    """Explanations of predictions, and suggestions of what to measure next."""

    @router.post("/explain", openapi_extra=FILE)
    async def explain(
        request: Request,
        source: Source,
        known: Annotated[Known, Depends()],
        name: Name = "",
        model: ModelName = "",
        seed: Seed = 0,
        target: Target = "",
    ) -> dict[str, Any]:
        """Which part of a file moved the predicted descriptors: a drawing and a line for each."""
        content = await request.body()

        def look() -> dict[str, Any]:
            predictor = models.get(model or models.first)
            given = measured(upload_of(content, name), predictor, source, known.acquisition)
            chosen = target_of(predictor, source, target)
            found = attribute(predictor, given.array, source, seed, known=known.acquisition, target=chosen)
            picture = base64.b64encode(explanation_png(drawing_of(found), DPI)).decode("ascii")
            return {"uri": f"data:image/png;base64,{picture}", "lines": list(found.sentences())}

        return await work.do(look)

    @router.get("/suggestions")
    async def suggestions(count: Count = 3, model: ModelName = "") -> dict[str, Any]:
        """The samples of the project around the server to measure next, and why."""
        return await work.do(lambda: _suggestions(models, model, count))


def _suggestions(models: Models, model: str, count: int) -> dict[str, Any]:
    predictor = models.get(model or models.first)
    choice = Choice((), model, None, Wanted(count))
    project = open_project(folder=models.root, track=False)
    try:
        known, ranking = ranked(project, predictor, choice)
    except InputError as error:  # a page shows no paths of the machine
        where = error.where.replace(f"{project.folder}/", "")
        raise InputError(
            expected=error.expected, found=error.found, where=where, remedy=error.remedy
        ) from error
    content = content_of(predictor, known, ranking)
    return {
        "title": content.title,
        "advice": content.advice,
        "errors": list(content.errors),
        "map": plot_picture(suggestion_map(content), "", "Map of all samples").uri,
        "cards": [
            {
                "id": card.id,
                "reason": card.reason,
                "facts": list(card.facts),
                "pictures": [
                    {
                        "uri": one.uri,
                        "caption": one.caption,
                        "kind": "card",
                        "width": one.width,
                        "height": one.height,
                    }
                    for one in card_pictures(card, content.source, content.target)
                ],
            }
            for card in content.cards
        ],
    }
