"""An error looks the same whoever makes it: nginx, the api, or nobody at all."""

import requests

from .stack import Stack


def assert_problem(answer: requests.Response, status: int, problem: str = "about:blank") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"]
    body = answer.json()
    assert (body["type"], body["status"]) == (problem, status)
    assert body["title"]
    assert body["detail"]
    if status == 503:
        assert int(answer.headers["Retry-After"]) == body["retry_after_s"]


def test_a_body_too_large_for_nginx_is_a_problem(stack: Stack) -> None:
    assert_problem(stack.call("POST", "/request-charge", data=b" " * 2_000_000), 413)


def test_the_largest_body_nginx_lets_through_reaches_the_api(stack: Stack) -> None:
    assert_problem(stack.call("POST", "/request-charge", data=b" " * 1_048_576), 415)


def test_a_request_that_nginx_does_not_understand_is_a_problem(stack: Stack) -> None:
    assert_problem(stack.call("GET", "/grid", headers={"Host": "not a host"}), 400)


def test_a_stopped_api_is_a_problem_with_retry_after(disturbed: Stack) -> None:
    disturbed.compose("stop", "--timeout=3", "api")

    for _ in range(3):
        assert_problem(disturbed.ask(), 503)


def test_stopped_balancers_are_a_problem_with_retry_after(disturbed: Stack) -> None:
    disturbed.compose("stop", "--timeout=3", "balancer")

    for _ in range(3):
        assert_problem(disturbed.ask(), 503, "/problems/balancer-unavailable")
