"""Code that lies in S3: fetched before the operation that names it is answered.

Source: Lambda API reference, "FunctionCode"; texts of refusals as recorded from AWS.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from rapid_mock.errors import CallFailed, InvalidParameterValue
from rapid_mock.host.code_store import LOCAL_BUCKET, MAX_UNZIPPED_BYTES
from rapid_mock.http.control_api import Answer, Operation
from rapid_mock.service.calls import Body, Call

CallAws = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Calls a service, by its names in boto3; raises CallFailed."""

_MEMBERS = {"CreateFunction": "Code", "UpdateFunctionCode": "", "PublishLayerVersion": "Content"}
"""Which member of a request names code; the request itself does in one."""
_OBJECT = {"S3Bucket": "Bucket", "S3Key": "Key", "S3ObjectVersion": "VersionId"}


class CodeInS3:
    """Gives operations the archives that they name in a bucket."""

    def __init__(self, call_aws: CallAws) -> None:
        self._call_aws = call_aws

    def before(self, operation: Operation) -> Operation:
        """The operation, which finds code in S3 too."""
        member = _MEMBERS.get(operation.name)
        if member is None:
            return operation
        return operation._replace(answer=partial(self._answer, operation.answer, member))

    def _answer(self, answer: Callable[[Call], Answer], member: str, call: Call) -> Answer:
        source = call.body.get(member) if member else call.body
        if not _is_in_s3(source):
            return answer(call)
        return self._later(answer, member, call)

    async def _later(self, answer: Callable[[Call], Answer], member: str, call: Call) -> Body:
        source = dict(call.body[member] if member else call.body)
        named = {name: source.pop(given) for given, name in _OBJECT.items() if source.get(given)}
        source["ZipFile"] = base64.b64encode(await self._object(named)).decode()
        body = {**call.body, member: source} if member else source
        answered = answer(replace(call, body=body))
        return await answered if isinstance(answered, Awaitable) else answered

    async def _object(self, named: Mapping[str, str]) -> bytes:
        try:
            found = await self._call_aws("s3", "get_object", named)
        except CallFailed as failure:
            raise InvalidParameterValue(
                f"Error occurred while GetObject. S3 Error Code: {failure.code}. "
                f"S3 Error Message: {failure}"
            ) from failure
        if found["ContentLength"] > MAX_UNZIPPED_BYTES:
            found["Body"].close()
            raise InvalidParameterValue(
                f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
            )
        data: bytes = await asyncio.to_thread(found["Body"].read)
        return data


def _is_in_s3(source: Any) -> bool:
    """Whether it names an object, and nothing else, in a bucket that is not this machine."""
    if not isinstance(source, Mapping) or source.get("ZipFile") is not None:
        return False
    bucket, key = source.get("S3Bucket"), source.get("S3Key")
    return isinstance(bucket, str) and isinstance(key, str) and bucket != LOCAL_BUCKET
