"""The api's own description, at /docs: complete, and true."""

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Grid, SubstationUnderTest


@pytest.fixture
def description(grid: Grid) -> dict[str, Any]:
    response = grid.api.get("/docs/openapi.json")
    assert response.status_code == 200
    return dict(response.get_json() or {})


def test_the_api_describes_itself_in_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(description["info"])
    assert {path: set(item) for path, item in description["paths"].items()} == {
        "/request-charge": {"post"},
        "/sessions/{session_id}": {"get", "delete"},
        "/grid": {"get"},
    }
    operations = [operation for item in description["paths"].values() for operation in item.values()]
    assert all(operation["summary"] and operation["responses"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_every_reference_in_the_description_leads_somewhere(description: dict[str, Any]) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for name, value in part.items():
                if name == "$ref":
                    yield value
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(description))
    assert found
    for reference in found:
        target: Any = description
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


def test_the_description_tells_the_fields_and_their_limits(description: dict[str, Any]) -> None:
    body = description["paths"]["/request-charge"]["post"]["requestBody"]
    one, many = body["content"]["application/json"]["schema"]["oneOf"]
    assert body["required"] is True
    assert many == {"type": "array", "items": one}
    assert one["required"] == ["vehicle_id"]
    assert one["additionalProperties"] is False
    limits = {
        name: {word: value for word, value in about.items() if word in ("minimum", "maximum", "maxLength", "enum")}
        for name, about in one["properties"].items()
    }
    assert limits == {
        "vehicle_id": {"maxLength": 64},
        "power_kw": {"minimum": 1, "maximum": 1000},
        "energy_kwh": {"minimum": 0.001, "maximum": 1000},
        "ready_by": {},
        "priority": {"enum": ["emergency", "normal", "flexible"]},
        "zone": {},
    }


def test_the_examples_of_the_description_work(
    grid: Grid, one: SubstationUnderTest, description: dict[str, Any]
) -> None:
    examples = description["paths"]["/request-charge"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    answered = {
        name: grid.api.post("/request-charge", json=example["value"]).status_code for name, example in examples.items()
    }
    assert answered == {"one car": 201, "a fleet": 207}


def test_the_description_tells_the_header_and_the_answers(description: dict[str, Any]) -> None:
    post = description["paths"]["/request-charge"]["post"]
    (header,) = [parameter for parameter in post["parameters"] if parameter["in"] == "header"]
    assert (header["name"], header["schema"]["maxLength"]) == ("Idempotency-Key", 255)
    assert {"201", "207", "422", "503"} <= set(post["responses"])
    session = description["paths"]["/sessions/{session_id}"]
    assert all({"200", "404"} <= set(session[method]["responses"]) for method in ("get", "delete"))
    assert "200" in description["paths"]["/grid"]["get"]["responses"]


def test_what_a_session_is_described_as_is_what_is_answered(
    grid: Grid, one: SubstationUnderTest, description: dict[str, Any]
) -> None:
    responses = description["paths"]["/request-charge"]["post"]["responses"]
    problem = responses["503"]["content"]["application/problem+json"]["schema"]
    schemas = {**description["components"]["schemas"], "ProblemDetails": problem}
    accepted = grid.request_charge()
    for answered, described in (
        (accepted.get_json(), "Accepted"),
        (grid.api.get(accepted.headers["Location"]).get_json(), "Session"),
        (grid.api.get("/grid").get_json(), "Grid"),
        (grid.request_charge(power_kw=1_000).get_json(), "ProblemDetails"),
    ):
        properties = schemas[described]["properties"]
        assert set(answered or {}) <= set(properties)
        assert set(schemas[described].get("required", [])) <= set(answered or {})
