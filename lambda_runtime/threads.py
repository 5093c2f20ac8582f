"""Several invocations at once, each in a thread: for handlers that wait, or without a GIL."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from lambda_runtime import current
from lambda_runtime.client import RuntimeClient
from lambda_runtime.quiet_threads import start_quietly
from lambda_runtime.scopes import Scopes
from lambda_runtime.worker import serve_one_at_a_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lambda_runtime.handler import Handler
    from lambda_runtime.place import Place
    from lambda_runtime.serialization import Codec


def serve(place: Place, client: RuntimeClient, handler: Handler, codec: Codec) -> NoReturn:
    """Serve in as many threads as there may be invocations, until one of them cannot go on.

    Signals and shutdown hooks belong to the main thread, which waits here.
    """
    current.scopes = Scopes()
    ends: SimpleQueue[BaseException] = SimpleQueue()

    def poll(slot: int) -> None:
        own = RuntimeClient(client.address, client.user_agent)
        try:
            serve_one_at_a_time(place, own, handler, codec, slot)
        except BaseException as error:  # noqa: BLE001  raised again in the main thread
            ends.put(error)

    for slot in range(place.count):
        name = f"invocation-{slot}"
        start_quietly(threading.Thread(target=poll, args=(slot,), name=name, daemon=True).start)
    raise ends.get()
