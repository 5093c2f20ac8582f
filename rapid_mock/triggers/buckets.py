"""S3: a bucket notifies a function, and its configuration is shown as it was given.

The engine gets a queue in the function's place. Source: Amazon S3 API reference,
"PutBucketNotificationConfiguration" and "GetBucketNotificationConfiguration".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer, Forward
from rapid_mock.service.push_triggers import QUEUE_ARN, S3, PushTrigger
from rapid_mock.triggers.overlaps import Filtered, overlap
from rapid_mock.triggers.push import PushTriggers

_QUEUES = re.compile(r"<QueueConfiguration>.*?</QueueConfiguration>", re.DOTALL)
_QUEUE_TAG = re.compile(r"<(/?)Queue(Configuration)?>")
_XML = [("Content-Type", "application/xml")]
_UNKNOWN_TARGET = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidArgument</Code><Message>Unable to '
    "validate the following destination configurations</Message><ArgumentName>{arn}</ArgumentName>"
    "<ArgumentValue>The destination Lambda function does not exist</ArgumentValue></Error>"
)
_OVERLAPPING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidArgument</Code>'
    "<Message>{message}</Message></Error>"
)
_NEVER_SENT = re.compile(
    r"<Event>(s3:(?:ReducedRedundancyLostObject|ObjectRemoved:DeleteMarkerCreated|Replication:.*?|"
    r"LifecycleTransition|LifecycleExpiration:.*?|IntelligentTiering|ObjectRestore:Delete))</Event>"
)


class BucketCalls:
    """An `Interception` of the gateway for S3.

    `exists` says whether there is such a function; `explain` takes a sentence for the developer.
    """

    max_body = 1024 * 1024

    def __init__(
        self,
        triggers: PushTriggers,
        *,
        exists: Callable[[str], bool],
        explain: Callable[[str], None],
    ) -> None:
        self._triggers = triggers
        self._exists = exists
        self._explain = explain

    def wants(self, service: str, request: Request) -> bool:
        if service != S3:
            return False
        is_notification = "notification" in parse_qs(request.query, keep_blank_values=True)
        is_deletion = request.method == "DELETE" and not request.query and _is_bucket(request)
        return is_deletion or (is_notification and request.method in ("GET", "PUT"))

    async def answer(self, request: Request, body: bytes, forward: Forward) -> AwsAnswer:
        bucket_arn = f"arn:aws:s3:::{bucket_of(request)}"
        if request.method == "PUT":
            return await self._put(request, bucket_arn, body, forward)
        answer = await forward(body)
        if request.method == "DELETE":
            if answer.status in (200, 204):
                await self._drop(bucket_arn, keep=())
            return answer
        return replace(answer, body=reveal(answer.body, self._triggers.at))

    async def _put(
        self, request: Request, bucket_arn: str, body: bytes, forward: Forward
    ) -> AwsAnswer:
        try:
            configuration = ET.fromstring(body)  # noqa: S314  expat itself bounds entities
        except ET.ParseError:
            return await forward(body)
        fault = overlap([_filtered(element) for element in configuration])
        if fault is not None:
            return AwsAnswer(400, _XML, _OVERLAPPING.format(message=fault).encode())
        wanted = list(_notified_functions(configuration))
        is_checked = request.headers.get("x-amz-skip-destination-validation", "") != "true"
        for notified in wanted:
            if is_checked and not self._exists(notified.function_arn):
                refusal = _UNKNOWN_TARGET.format(arn=notified.function_arn)
                return AwsAnswer(400, _XML, refusal.encode())
        for notified in wanted:
            trigger = PushTrigger(S3, bucket_arn, notified.name, notified.function_arn)
            notified.become_queue(await self._triggers.put(trigger))
        answer = await forward(_written(configuration))
        if answer.status == 200:
            for event in _NEVER_SENT.findall(body.decode("utf-8", "replace")):
                self._explain(f"the embedded AWS never sends {event}: {bucket_arn} asked for it")
            await self._drop(bucket_arn, keep=[notified.name for notified in wanted])
        return answer

    async def _drop(self, bucket_arn: str, keep: list[str] | tuple[()]) -> None:
        await self._triggers.drop(
            lambda each: each.kind == S3 and each.source_arn == bucket_arn and each.name not in keep
        )


def bucket_of(request: Request) -> str:
    """The bucket that a request is about: in front of the host's name, or first in its path."""
    return _virtual_host(request) or request.path.lstrip("/").partition("/")[0]


def _is_bucket(request: Request) -> bool:
    """Whether a request is about a bucket and not about an object in it."""
    rest = request.path.strip("/")
    return not rest if _virtual_host(request) else bool(rest) and "/" not in rest


def _virtual_host(request: Request) -> str:
    """The bucket of `http://<bucket>.localhost/`; empty where it stands in the path."""
    name = (request.host or "").partition(":")[0].lower()
    return name.removesuffix(".localhost") if name.endswith(".localhost") else ""


class _Notified(NamedTuple):
    """One function in a notification configuration."""

    element: ET.Element
    target: ET.Element
    name: str
    function_arn: str

    def become_queue(self, arn: str) -> None:
        space = _namespace(self.element)
        self.element.tag = f"{space}QueueConfiguration"
        self.target.tag, self.target.text = f"{space}Queue", arn


def _notified_functions(configuration: ET.Element) -> Iterator[_Notified]:
    """Those that there are; a notification without an Id gets one, as AWS gives it one."""
    for element in configuration:
        space = _namespace(element)
        target = element.find(f"{space}CloudFunction")
        if target is None:
            continue
        identity = element.find(f"{space}Id")
        if identity is None:
            identity = ET.Element(f"{space}Id")
            element.insert(0, identity)
        identity.text = identity.text or str(uuid.uuid4())
        yield _Notified(element, target, identity.text, (target.text or "").strip())


def _filtered(element: ET.Element) -> Filtered:
    """What a notification tells of; a rule's name may be in capitals, and is not for the engine."""
    space, ends = _namespace(element), {"prefix": "", "suffix": ""}
    for rule in element.iter(f"{space}FilterRule"):
        name, value = rule.find(f"{space}Name"), rule.find(f"{space}Value")
        if name is not None and name.text is not None:
            name.text = name.text.lower()
            ends[name.text] = "" if value is None else value.text or ""
    events = tuple((event.text or "").strip() for event in element.iter(f"{space}Event"))
    return Filtered(events, ends["prefix"], ends["suffix"])


def _namespace(element: ET.Element) -> str:
    return element.tag[: element.tag.index("}") + 1] if element.tag.startswith("{") else ""


def _written(configuration: ET.Element) -> bytes:
    """XML with S3's names unprefixed, as its clients write them."""
    space = _namespace(configuration).strip("{}")
    return bytes(ET.tostring(configuration, default_namespace=space or None))


def reveal(body: bytes, trigger_at: Callable[[str], PushTrigger | None]) -> bytes:
    """An answer with functions where the engine knows queues of ours."""
    text = body.decode("utf-8", "surrogateescape")

    def shown(part: re.Match[str]) -> str:
        queue = QUEUE_ARN.search(part[0])
        trigger = None if queue is None else trigger_at(queue[0])
        if queue is None or trigger is None:
            return part[0]
        named = part[0].replace(queue[0], trigger.target_arn)
        return _QUEUE_TAG.sub(r"<\1CloudFunction\2>", named)

    return _QUEUES.sub(shown, text).encode("utf-8", "surrogateescape")
