"""Function URLs at work: the operations on them, and a listener for each.

Each URL has a port of its own on loopback, so that it works as it stands in any client. Source:
Lambda API reference.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import string
from collections.abc import Callable

from rapid_mock.errors import SetupError
from rapid_mock.host.functions import Functions, new_stamp
from rapid_mock.http.function_url import LOOPBACK, EveryPath, FunctionUrl, UrlInvoker
from rapid_mock.http.guard import Unguarded
from rapid_mock.http.server import BACKLOG, HttpServer
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.function_urls import UrlConfigs, check_alias
from rapid_mock.service.paging import page_of
from rapid_mock.service.settings import refuse_tenants

_Key = tuple[str, str | None]


class FunctionUrls:
    """Each public method but `close` and `forget` is an operation: the call in, the answer out."""

    def __init__(
        self,
        functions: Functions,
        service: UrlInvoker,
        wall: Callable[[], float],
        explain: Callable[[str], None],
    ) -> None:
        self._functions = functions
        self._registry = functions.registry
        self._service = service
        self._wall = wall
        self._explain = explain
        self._configs = UrlConfigs()
        self._servers: dict[_Key, HttpServer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- Operations -------------------------------------------------------------------------

    def create_url(self, call: Call) -> Body:
        key, arn = self._function(call)
        refuse_tenants(self._registry.find(key[0]).latest.settings, "Function URLs are")
        self._configs.check_new(key, call.body, arn)
        url = self._listen(key)
        return self._configs.create(key, call.body, arn, url, new_stamp().moment).created_members()

    def get_url(self, call: Call) -> Body:
        key, _ = self._function(call)
        return self._configs.find(key).members()

    def update_url(self, call: Call) -> Body:
        key, _ = self._function(call)
        return self._configs.update(key, call.body, new_stamp().moment).members()

    def delete_url(self, call: Call) -> Body:
        key, _ = self._function(call)
        self._configs.delete(key)
        self._end(key)
        return None

    def list_urls(self, call: Call) -> Body:
        name, _ = self._registry.parse(call.params["function_name"], None)
        self._registry.find(name)
        configs = [config.members() for _, config in self._configs.of(name)]
        page, marker = page_of(configs, call.query, most=50)
        return {
            "FunctionUrlConfigs": list(page),
            **({} if marker is None else {"NextMarker": marker}),
        }

    # --- Ends -------------------------------------------------------------------------------

    def forget(self, name: str) -> None:
        """A function was deleted: its URLs go with it."""
        for alias, _ in self._configs.of(name):
            self._configs.delete((name, alias))
            self._end((name, alias))

    async def close(self) -> None:
        """Stop serving."""
        for key in list(self._servers):
            self._end(key)
        await asyncio.gather(*self._tasks)

    # --- Inside -----------------------------------------------------------------------------

    def _function(self, call: Call) -> tuple[_Key, str]:
        """Whose URL is meant, and its ARN; raises ResourceNotFound."""
        alias = check_alias(call.query)
        name, qualifier = self._registry.parse(call.params["function_name"], alias)
        self._registry.find(name, qualifier)
        if qualifier is not None:
            self._registry.alias(name, qualifier)
        return (name, qualifier), self._registry.arn(name, qualifier)

    def _listen(self, key: _Key) -> str:
        """Take a free port and begin to serve on it; raises SetupError when there is none."""
        url_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(32))
        listener = socket.socket()
        try:
            listener.bind((LOOPBACK, 0))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise SetupError(f"no port for a function URL: {error.strerror}") from error
        endpoint = FunctionUrl(
            url_id, lambda: self._configs.find(key), self._service, self._wall, self._explain
        )
        server = HttpServer(EveryPath(endpoint), guard=Unguarded())
        self._servers[key] = server
        self._start(server.serve(listener))
        return f"http://{LOOPBACK}:{listener.getsockname()[1]}/"

    def _end(self, key: _Key) -> None:
        """Whoever is told that it is over can no longer connect."""
        server = self._servers.pop(key)
        server.stop_listening()
        self._start(server.close())

    def _start(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
