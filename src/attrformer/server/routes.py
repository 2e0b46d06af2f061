"""The addresses below `/v1`: each turns a request into one call and its answer into JSON."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, TITLE, VALUE
from attrformer.server import answer_schemas as answers
from attrformer.server import describing, schemas
from attrformer.server.answer_schemas import ErrorAnswer
from attrformer.server.answering import Answer
from attrformer.server.calls import EXPLAIN, RECOMMEND, SIMILAR
from attrformer.server.errors import Refused
from attrformer.server.options import MOST_DIVERSE, MOST_EXPLAINED, MOST_HISTORY, MOST_RULES, MOST_WORDS
from attrformer.server.state import Service

_REASONS = {
    400: "The body is no JSON.",
    401: "The token is missing or wrong.",
    404: "An id is unknown.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    422: "The request does not fit its description, or the model.",
    421: "The Host header names a site that this service is not.",
    429: "Too many requests are waiting, or too much work.",
    500: "Something went wrong in the service.",
    503: "No model answers yet, or not in time.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": words} for status, words in _REASONS.items()
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    403: {"model": ErrorAnswer, "description": "Set a token to allow this; a folder of versions takes no items."},
    409: {"model": ErrorAnswer, "description": "A new model is being read, or cannot be used; no more can be added."},
}

router = APIRouter(prefix="/v1", responses=RESPONSES)


async def service_of(request: Request) -> Service:
    """The service that a request came to."""
    # Not a plain function, which would be called on another thread for every request.
    service: Service = request.app.state.service
    return service


Here = Annotated[Service, Depends(service_of)]


@router.post("/recommend", response_model=answers.RecommendAnswer, summary="The best items for users or histories")
async def recommend(body: schemas.RecommendBody, service: Here) -> Response:
    """What `Recommender.recommend` gives: ranked items for known users, or for histories of anybody."""
    _require_somebody(body)
    _require_affordable(body)
    return _answer(await service.ask(RECOMMEND, body))


@router.post("/explain", response_model=answers.ExplainAnswer, summary="Why items are ranked as they are")
async def explain(body: schemas.ExplainBody, service: Here) -> Response:
    """What `Recommender.explain` gives: the components of each score, and the item of the history behind each."""
    _require_somebody(body)
    _require_affordable(body)
    _require_few(body)
    return _answer(await service.ask(EXPLAIN, body))


@router.post("/similar", response_model=answers.SimilarAnswer, summary="Items similar to items")
async def similar(body: schemas.SimilarBody, service: Here) -> Response:
    """What `Recommender.similar_items` gives: neighbours by what the model has learned, or by one relation."""
    return _answer(await service.ask(SIMILAR, body))


@router.post(
    "/items",
    response_model=answers.AddAnswer,
    responses=_CONFLICT,
    status_code=201,
    summary="Add items",
)
async def add_items(body: schemas.AddBody, service: Here) -> JSONResponse:
    """What `Recommender.add_items` does: items nobody has met yet can be recommended from their attributes at once.

    They are there until the service ends or reads another model, unless it was started to save them. So many may be
    added as `--most-added` says. A service that answers with a folder of versions takes none.
    """
    _require_writable(service, "added")
    rows = [_item_row(item) for item in body.items]
    served = await service.add(rows)
    saved = service.options.save_added
    return JSONResponse({"added": len(rows), "catalogue": len(served.catalogue), "saved": saved}, 201)


@router.post(
    "/changes",
    response_model=answers.ChangeAnswer,
    responses=_CONFLICT,
    status_code=201,
    summary="Change attributes of items",
)
async def change_items(body: schemas.ChangeBody, service: Here) -> JSONResponse:
    """What `Recommender.update(item_changes=...)` does: prices, stock and other single values change at once.

    Relations that read a column, and rules, have the value from its time on. As with added items, they are there until
    the service ends or reads another model, unless it was started to save them. A service that answers with a folder of
    versions takes none.
    """
    _require_writable(service, "changed")
    now = int(time.time())
    rows = [
        {
            ITEM: change.item_id,
            TIMESTAMP: now if change.timestamp is None else change.timestamp,
            CHANGED: change.column,
            VALUE: change.value,
        }
        for change in body.changes
    ]
    await service.change(rows, body.new_columns)
    return JSONResponse({"changed": len(rows), "saved": service.options.save_added}, 201)


@router.get("/catalogue", response_model=answers.CatalogueAnswer, summary="Search the catalogue")
async def catalogue(
    service: Here,
    query: Annotated[str, Query(max_length=200, description="Words of a title or id.", examples=["trail"])] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> JSONResponse:
    """Items whose title or id holds every word."""
    total, items = service.served.catalogue.search(query, limit, offset)
    return JSONResponse({"total": total, "items": items})


@router.get("/history", response_model=answers.HistoryAnswer, summary="What a user did")
async def history(
    service: Here,
    user_id: Annotated[str, Query(min_length=1, max_length=256, examples=["user-0001"])],
    limit: Annotated[int, Query(ge=1, le=MOST_HISTORY)] = 50,
) -> JSONResponse:
    """The latest items of a user that the model was fitted on, oldest first, with what is known of each."""
    return JSONResponse(describing.latest(service.served, user_id, limit))


@router.get("/model", response_model=answers.ModelAnswer, summary="What the model can be asked")
async def model(service: Here) -> JSONResponse:
    """Relations with their strength, attributes and their values."""
    options = service.options
    allowed = {"may_add": options.writable and not service.engine.versioned, "may_reload": options.token is not None}
    return JSONResponse(describing.describe(service.served) | allowed)


@router.get("/pairs", response_model=answers.PairsAnswer, summary="The strongest pairs of an attribute's values")
async def pairs(
    service: Here,
    attribute: Annotated[str, Query(min_length=1, max_length=256, examples=["brand"])],
    k: Annotated[int, Query(ge=2, le=40, description="Most values to give.")] = 12,
    count: Annotated[int | None, Query(ge=2, le=40, description="Earlier name of k.", include_in_schema=False)] = None,
) -> JSONResponse:
    """What `Recommender.strongest_pairs` gives: row a, column b says how much value a speaks for value b."""
    served, most = service.served, k if count is None else count
    values, matrix = await service.between(lambda: served.model.strongest_pairs(attribute, most))
    return JSONResponse({"attribute": attribute, "values": values, "matrix": matrix.tolist()})


@router.post("/reload", response_model=answers.ReloadAnswer, responses=_CONFLICT, summary="Change to a new model")
async def reload(service: Here) -> JSONResponse:
    """Reads `RUN/next`, or `RUN/model` anew, or the current version, and answers with it; no request is dropped."""
    if service.options.token is None:
        raise Refused(403, "not_allowed", "This needs a token. Start the service with one, or send it SIGHUP.")
    served = await service.reload()
    lost = {"lost": served.lost} if served.lost else {}
    return JSONResponse({"model": served.generation, "version": served.version, "items": len(served.catalogue), **lost})


def _require_writable(service: Service, done: str) -> None:
    if not service.options.writable:
        raise Refused(403, "not_allowed", f"Items can be {done} where a token is set. Start the service with one.")
    if service.engine.versioned:
        message = f"This service answers with a folder of versions. Publish a model whose items are {done}."
        raise Refused(403, "read_only", f"{message} Changes alone can come from a file: --changes-file.")


def _require_somebody(body: schemas.Whom) -> None:
    if body.users is None and body.histories is None and body.user_attributes is None:
        raise Refused(422, "invalid", "Nobody is asked about. Give users, histories or user_attributes.")


def _require_affordable(body: schemas.RecommendBody | schemas.ExplainBody) -> None:
    """Refuses rules that would take long to prepare or to apply."""
    if body.diversity and body.k > MOST_DIVERSE:
        problem = f"diversity is asked for in lists of {body.k:,} items. Ask for {MOST_DIVERSE} at most"
        raise Refused(422, "invalid", f"{problem}, or leave it out.")
    boosts = body.boost or []
    words = [boost[0] for boost in boosts] if isinstance(boosts, list) else []
    count = len(boosts) if isinstance(boosts, list) else sum(map(len, boosts.values()))
    length = len(body.where or "") + sum(map(len, words))
    if length > MOST_WORDS or count > MOST_RULES:
        problem = f"{count:,} boosts are asked for, and conditions of {length:,} characters"
        raise Refused(422, "invalid", f"{problem}. Give {MOST_RULES} boosts and {MOST_WORDS:,} characters at most.")


def _require_few(body: schemas.ExplainBody) -> None:
    people = max(len(given) for given in (body.users, body.histories, body.user_attributes) if given is not None)
    scores = people * (body.k if body.items is None else len(body.items))
    if scores > MOST_EXPLAINED:
        message = f"{scores:,} scores are to be explained. Ask for {MOST_EXPLAINED:,} at most, in several requests."
        raise Refused(422, "invalid", message)


def _answer(answer: Answer) -> Response:
    # The entries are JSON already: making them takes time, which the event loop does not have.
    warnings = json.dumps(answer.warnings, ensure_ascii=False).encode("utf-8", "replace")
    pieces = list(answer.results)
    pieces[0] = b'{"model":%d,"version":"%b","results":%b' % (answer.generation, answer.version.encode(), pieces[0])
    notes = json.dumps(answer.notes, ensure_ascii=False).encode("utf-8", "replace")
    pieces[-1] += b',"warnings":%b%b}' % (warnings, b',"notes":%b' % notes if answer.notes else b"")
    return InPieces(pieces, {"X-Answered-Together": str(answer.together), "X-Model-Version": answer.version})


def _item_row(item: schemas.AddBody.Item) -> dict[str, Any]:
    named = {ITEM: item.item_id} | ({} if item.title is None else {TITLE: item.title})
    return {**item.attributes, **named}


class InPieces(Response):
    """JSON that is sent a piece at a time: others are answered in between, and nothing is copied as a whole.

    Args:
        pieces: of the body, one at least.
        headers: of the answer.
    """

    media_type = "application/json"

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(headers={**headers, "Content-Length": str(sum(map(len, pieces)))})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends head and body; waits while the other side does not take them."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for left, piece in zip(range(len(self._pieces) - 1, -1, -1), self._pieces, strict=True):
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            if left:
                # As long as the system takes what is sent, nothing else is waited for.
                await asyncio.sleep(0)
