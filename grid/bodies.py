"""Reading a request body that is one object or an array of them, and checking each against its model."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from grid.problems import Problem, invalid, invalid_field

Model = TypeVar("Model", bound=BaseModel)


def init_app(app: Flask, *, max_body_bytes: int, max_batch: int | None) -> None:
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["MAX_BATCH"] = max_batch


def read_one_or_many() -> tuple[list[Any], bool]:
    """The body's objects, and whether they came as an array.

    Raises Problem for a body that is not JSON or an array that is empty or too long.
    """
    data = request.get_data()  # in any case: a proxy that could not send all of it would not pass the answer on
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.")
    try:
        body = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem("not-json", f"body: {error}") from None
    if not isinstance(body, list):
        return [body], False
    most = current_app.config["MAX_BATCH"] or len(body)
    if not body or len(body) > most:
        raise invalid_field("body", f"must have 1 to {most} items, not {len(body)}" if most else "must have an item")
    return body, True


def check_each(
    model: type[Model], items: Sequence[Any], field: Callable[[int], str], **context: Any
) -> tuple[dict[int, Model], dict[int, dict[str, Any]]]:
    """The items as models, and the problems of those that are wrong, both by number: one does not spoil the others."""
    good: dict[int, Model] = {}
    wrong: dict[int, dict[str, Any]] = {}
    for i, item in enumerate(items):
        try:
            good[i] = check(model, item, field(i), **context)
        except Problem as problem:
            wrong[i] = problem.body()
    return good, wrong


def check(model: type[Model], item: Any, field: str = "", **context: Any) -> Model:
    """The item as a model. Raises Problem naming each wrong field, under `field`."""
    try:
        return model.model_validate(item, context=context)
    except ValidationError as error:
        raise invalid(error, field) from None


def answer(bodies: list[dict[str, Any]], many: bool) -> Response:
    """One object with its own status, or an array of them: each item carries the status it would have had alone."""
    if many:
        return Response(json.dumps(bodies), 207, content_type="application/json")
    (body,) = bodies
    problem = body["status"] >= 400
    headers = {"Retry-After": str(body["retry_after_s"])} if "retry_after_s" in body else {}
    kind = "application/problem+json" if problem else "application/json"
    return Response(json.dumps(body), body["status"], headers, content_type=kind)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
