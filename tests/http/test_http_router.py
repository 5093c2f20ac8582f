from __future__ import annotations

import pytest

from rapid_mock.http.router import MethodNotAllowed, NotFound, Route, Router
from rapid_mock.http.server import Buffered


def endpoint() -> Buffered:
    return Buffered(lambda _exchange, _body: None)


NEXT, RESPONSE, LIST, GET_ONE, PUT_ONE = (endpoint() for _ in range(5))


@pytest.fixture
def router() -> Router:
    router = Router()
    router.add("GET", "/2018-06-01/runtime/invocation/next", NEXT)
    router.add("POST", "/2018-06-01/runtime/invocation/{request_id}/response", RESPONSE)
    router.add("GET", "/functions/", LIST)
    router.add("GET", "/functions/{name}", GET_ONE)
    router.add("PUT", "/functions/{function_name}", PUT_ONE)
    return router


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/2018-06-01/runtime/invocation/next", Route(NEXT, {})),
        (
            "POST",
            "/2018-06-01/runtime/invocation/8476a536/response",
            Route(RESPONSE, {"request_id": "8476a536"}),
        ),
        ("POST", "/2018-06-01/runtime/invocation//response", Route(RESPONSE, {"request_id": ""})),
        (
            "POST",
            "/2018-06-01/runtime/invocation/x%2Fy/response",
            Route(RESPONSE, {"request_id": "x/y"}),
        ),
        (
            "GET",
            "/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ahello",
            Route(GET_ONE, {"name": "arn:aws:lambda:us-east-1:123456789012:function:hello"}),
        ),
        ("GET", "/functions/arn:aws:lambda", Route(GET_ONE, {"name": "arn:aws:lambda"})),
        ("GET", "/functions/%C3%A4%zz%", Route(GET_ONE, {"name": "\u00e4%zz%"})),
        ("GET", "/functions/%FF", Route(GET_ONE, {"name": "\ufffd"})),
        ("GET", "/functions/a\nb", Route(GET_ONE, {"name": "a\nb"})),
        ("PUT", "/functions/hello", Route(PUT_ONE, {"function_name": "hello"})),
        ("GET", "/functions/", Route(LIST, {})),
    ],
)
def test_a_path_finds_its_endpoint(router: Router, method: str, path: str, route: Route) -> None:
    """A name stands for one raw segment, be it empty, and is percent-decoded after the split."""
    assert router.resolve(method, path) == route


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "/2018-06-01/runtime/invocation/next/",
        "//2018-06-01/runtime/invocation/next",
        "/2018-06-01//runtime/invocation/next",
        "/2018-06-01/runtime/./invocation/next",
        "/2018-06-01/runtime/x/../invocation/next",
        "/2018-06-01/runtime/%2e%2e/runtime/invocation/next",
        "/2018-06-01/runtime/invocation/NEXT",
        "/2018-06-01/runtime/invocation/%6Eext",
        "/2018-06-01/runtime/invocation/a/b/response",
        "/2018-06-01/runtime/invocation/a/response/",
        "/2018-06-01/runtime/invocation/a/response\n",
        "/2018-06-01/runtime/invocation/a%2Fresponse",
        "/functions",
    ],
)
def test_paths_are_taken_as_they_stand(router: Router, path: str) -> None:
    """No slash is added or taken away, no dot segment followed, no letter changed."""
    assert router.resolve("GET", path) == NotFound()
    assert router.resolve("POST", path) == NotFound()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/2018-06-01/runtime/invocation/next", "GET"),
        ("HEAD", "/2018-06-01/runtime/invocation/next", "GET"),
        ("get", "/2018-06-01/runtime/invocation/next", "GET"),
        ("GET", "/2018-06-01/runtime/invocation/a/response", "POST"),
        ("DELETE", "/functions/hello", "GET, PUT"),
        ("DELETE", "/functions/", "GET, PUT"),
    ],
)
def test_a_known_path_with_another_method(
    router: Router, method: str, path: str, allow: str
) -> None:
    """The methods of all templates that fit are allowed; HEAD is not GET."""
    assert router.resolve(method, path) == MethodNotAllowed(allow)


def test_a_method_is_looked_for_in_every_template_that_fits(router: Router) -> None:
    """A path that one template takes for another method is still another template's."""
    assert router.resolve("PUT", "/functions/") == Route(PUT_ONE, {"function_name": ""})


def test_the_first_of_two_templates_wins(router: Router) -> None:
    """Of two templates that fit with the same method the one added first is taken."""
    router.add("GET", "/functions/{other}", endpoint())
    assert router.resolve("GET", "/functions/a") == Route(GET_ONE, {"name": "a"})


def test_literal_segments_are_no_patterns() -> None:
    """What means something in a regular expression means itself in a template."""
    router = Router()
    router.add("GET", "/v1.0/{name}/a+b", NEXT)
    assert router.resolve("GET", "/v1.0/x/a+b") == Route(NEXT, {"name": "x"})
    assert router.resolve("GET", "/v1x0/x/aab") == NotFound()
