"""Random walks over the Runtime and Extensions APIs: what actors may say, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.recorded import INVOKE_PATH

EXTERNAL = ("ext-a", "ext-b")
INTERNAL = "int-a"
RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
UNKNOWN = "6f1e2d3c-4b5a-4968-8776-655443322110"
JSON = ("Content-Type", "application/json")
CAUSE = ("Content-Type", "application/vnd.aws.lambda.error.cause+json")


@dataclass(frozen=True)
class Saying:
    """One request; `{invoke}` stands for the last request id, `{id}` for the speaker's own.

    `{ID}` is that in capitals.

    An `invoke` is said only while no other is open: RIE dies of two.
    """

    actor: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"{self.actor}: {self.method} {self.path} {dict(self.headers)} {self.body!r}"


INVOKE = Saying("invoker", "POST", INVOKE_PATH, (), b'{"k":1}')
NEXT = Saying("runtime", "GET", f"{RUNTIME}/invocation/next")
RESPOND = Saying("runtime", "POST", f"{RUNTIME}/invocation/{{invoke}}/response", (JSON,), b'"ok"')
FAIL = Saying(
    "runtime",
    "POST",
    f"{RUNTIME}/invocation/{{invoke}}/error",
    (JSON, ("Lambda-Runtime-Function-Error-Type", "Function.Failed")),
    b'{"errorMessage":"no","errorType":"Failed"}',
)


def register(actor: str, name: str, body: bytes, *, accepts: str = "") -> Saying:
    features = (("Lambda-Extension-Accept-Feature", accepts),) if accepts else ()
    headers = (("Lambda-Extension-Name", name),) if name else ()
    return Saying(actor, "POST", f"{EXTENSION}/register", (*headers, *features), body)


def poll(actor: str, identifier: str = "{id}") -> Saying:
    headers = (("Lambda-Extension-Identifier", identifier),) if identifier else ()
    return Saying(actor, "GET", f"{EXTENSION}/event/next", headers)


_BODIES = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"INVOKE"',
    b'{"events":null}',
    b'{"events":[null]}',
    b'{"events":[1]}',
    b'{"events":{"INVOKE":true}}',
    b'{"events":["INVOKE","INVOKE"]}',
    b'{"events":["invoke"]}',
    b'{"EVENTS":["SHUTDOWN"]}',
    b'{"events":["SHUTDOWN"],"events":["INVOKE"]}',
    b'{"events":["INVOKE","<&>"]}',
    b'{"events":["\xc3\xa4"]}',
    b'{"configurationKeys":["a"],"events":[]}',
    b'{"configurationKeys":[],"events":[]}',
    b'{"configurationKeys":1}',
    b' {"events":[]} ',
    b'{"events":[]} x',
    b'{"events":[],}',
    b"{'events':[]}",
    b"\xff",
]
"""Registrations as nobody should write them, for Go's JSON decoder to judge."""


def _registrations(actor: str) -> list[Saying]:
    own = actor.partition(":")[2]
    return [
        register(actor, own, b'{"events":["INVOKE","SHUTDOWN"]}'),
        register(actor, own, b'{"events":["INVOKE"]}', accepts="accountId"),
        register(actor, own, b'{"events":[]}'),
        register(actor, own, b'{"events":["SHUTDOWN"]}'),
        register(actor, own, b'{"events":["NONSENSE"]}'),
        register(actor, own, b"{"),
        register(actor, own, b"{}"),
        register(actor, own, b'{"events":"INVOKE"}'),
        register(actor, "", b'{"events":[]}'),
        register(actor, "", b"{"),
        *(register(actor, own, body) for body in _BODIES),
        register(actor, own, b'{"events":["INVOKE"]}', accepts=" x , accountId ,"),
        register(actor, own.upper(), b"{}"),
        register(actor, f"{own}/x", b'{"events":[]}'),
    ]


_SPELLINGS = ["{ID}", "{{id}}", "urn:uuid:{id}", "URN:UUID:{id}", "{{id}", "[{id}]", "{id}0", " "]
"""An identifier in forms that a UUID may have, and in forms that it may not."""


def _extension(actor: str) -> list[Saying]:
    return [
        *_registrations(actor),
        *(poll(actor, identifier) for identifier in ("{id}", "{id}", "{id}", "", "x", UNKNOWN)),
        *(poll(actor, identifier) for identifier in _SPELLINGS),
        Saying(
            actor, "POST", f"{EXTENSION}/event/next", (("Lambda-Extension-Identifier", "{id}"),)
        ),
    ]


def _failures(actor: str) -> list[Saying]:
    """The two error calls of an extension, complete and not."""
    own = ("Lambda-Extension-Identifier", "{id}")
    error_type = ("Lambda-Extension-Function-Error-Type", "Extension.Failed")
    body = b'{"errorMessage":"no","errorType":"Failed","stackTrace":[]}'
    return [
        Saying(actor, "POST", f"{EXTENSION}/{kind}/error", headers, sent)
        for kind in ("init", "exit")
        for headers, sent in (((own, error_type), body), ((own,), body), ((error_type,), b""))
    ]


_INIT_ERRORS = [
    Saying("runtime", "POST", f"{RUNTIME}/init/error", (JSON,), FAIL.body),
    Saying("runtime", "POST", f"{RUNTIME}/init/error", FAIL.headers, FAIL.body),
    Saying("runtime", "POST", f"{RUNTIME}/init/error", (), b""),
]
_REFUSED = [
    Saying("runtime", "GET", f"{RUNTIME}/restore/next"),
    Saying("runtime", "POST", f"{RUNTIME}/restore/error"),
    Saying("runtime", "GET", "/2021-04-23/credentials"),
    Saying("runtime", "GET", "/2026-01-15/metadata/execution-environment"),
    Saying("runtime", "GET", f"{RUNTIME}/invocation/{{invoke}}/response"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/next"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/{UNKNOWN}/response", (JSON,), b"1"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/{UNKNOWN}/error", (JSON,), b"{}"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation//response", (JSON,), b"1"),
    Saying("runtime", "GET", "/2018-06-01/ping"),
    Saying("runtime", "GET", "/nothing"),
    Saying("runtime", "PUT", f"{RUNTIME}/init/error"),
    Saying("runtime", "GET", f"{EXTENSION}/register"),
    Saying("runtime", "HEAD", f"{RUNTIME}/invocation/next"),
    Saying("runtime", "DELETE", f"{RUNTIME}/invocation/{{invoke}}/error"),
    Saying("runtime", "OPTIONS", f"{EXTENSION}/event/next"),
    Saying("runtime", "GET", f"{RUNTIME}/invocation/next/"),
    Saying("runtime", "GET", f"{RUNTIME}//invocation/next"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/x%2F{{invoke}}/response", (JSON,), b"1"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/{{invoke}}/Response", (JSON,), b"1"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/{{invoke}}/response/", (JSON,), b"1"),
    Saying("runtime", "POST", f"{RUNTIME}/invocation/./{{invoke}}/response", (JSON,), b"1"),
    Saying("runtime", "GET", "/2018-06-01/../2018-06-01/ping"),
    Saying("runtime", "GET", "/2018-06-01/%70ing"),
    Saying("runtime", "GET", "/2018-06-01/ping?a=b#c"),
    Saying("runtime", "POST", "/2022-07-01/telemetry"),
    Saying("runtime", "GET", "/2020-08-15/logs"),
]
_ANSWERS = [
    RESPOND,
    Saying("runtime", "POST", RESPOND.path, (), b""),
    Saying("runtime", "POST", RESPOND.path, (("Content-Type", "text/html"),), b"<p>"),
    Saying(
        "runtime",
        "POST",
        RESPOND.path,
        (JSON, ("Lambda-Runtime-Function-Response-Mode", "streaming")),
        b"12",
    ),
    FAIL,
    Saying("runtime", "POST", FAIL.path, (JSON,), b"{}"),
    Saying("runtime", "POST", FAIL.path, (), b"not JSON"),
    Saying("runtime", "POST", f"{RESPOND.path}?a=b", (JSON,), b'"queried"'),
    *(
        Saying("runtime", "POST", FAIL.path, (CAUSE,), body)
        for body in (
            b'{"errorMessage":"m","errorType":"T","stackTrace":["a"],"errorCause":"c","x":1}',
            b'{"errorMessage":"<&>"}',
            b'{"errorMessage":1}',
            b"{",
            b"",
        )
    ),
    Saying(
        "runtime",
        "POST",
        FAIL.path,
        (JSON, ("Lambda-Runtime-Function-Error-Type", "bad type")),
        b'{"errorMessage":"<&>","errorType":"Own","stackTrace":["a"]}',
    ),
]
_ACTORS = [*(f"ext:{name}" for name in EXTERNAL), f"int:{INTERNAL}"]


def sayings() -> st.SearchStrategy[Saying]:
    """Anything anybody may say; what carries a story on is said more often."""
    onward = st.sampled_from([NEXT, NEXT, RESPOND, FAIL, INVOKE, INVOKE])
    polls = st.sampled_from([poll(actor) for actor in _ACTORS])
    others = [st.sampled_from(_extension(actor)) for actor in _ACTORS]
    failures = st.sampled_from([*_INIT_ERRORS, *(s for actor in _ACTORS for s in _failures(actor))])
    common = [onward, polls, st.sampled_from(_ANSWERS), st.sampled_from(_REFUSED), *others]
    return st.one_of(*common, *common, onward, failures)


def _ready(actors: list[str], events: bytes) -> list[Saying]:
    """Everybody registered and waiting, the runtime last."""
    registered = [register(actor, actor.partition(":")[2], events) for actor in actors]
    return [*registered, *(poll(actor) for actor in actors), NEXT]


BEGINNINGS = [
    [],
    [NEXT],
    _ready(_ACTORS[:2], b'{"events":["INVOKE","SHUTDOWN"]}'),
    _ready(_ACTORS, b'{"events":["INVOKE"]}'),
    _ready([*_ACTORS[:1], _ACTORS[2]], b'{"events":[]}'),
]


def walks(shortest: int, longest: int) -> st.SearchStrategy[list[Saying]]:
    """An invocation, one of the usual beginnings or none, and then anything."""
    beginnings = st.sampled_from(BEGINNINGS)
    return st.builds(
        lambda beginning, rest: [INVOKE, *beginning, *rest],
        beginnings,
        st.lists(sayings(), min_size=shortest, max_size=longest),
    )


def externals(walk: list[Saying]) -> list[str]:
    """The external extensions that a walk needs."""
    return [name for name in EXTERNAL if any(saying.actor == f"ext:{name}" for saying in walk)]
