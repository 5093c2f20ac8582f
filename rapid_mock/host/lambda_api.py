"""The Lambda API but for invocations: every operation, by its name and as a route.

A service makes it when it is first asked for: most of them only ever invoke.
"""

from __future__ import annotations

from collections.abc import Callable

from rapid_mock.host.code_in_s3 import CallAws, CodeInS3
from rapid_mock.host.concurrency import ConcurrencyOperations
from rapid_mock.host.control import FunctionOperations
from rapid_mock.host.downloads import CODE_PATH, Downloads
from rapid_mock.host.event_invoke import EventInvokeOperations
from rapid_mock.host.function_urls import FunctionUrls
from rapid_mock.host.functions import Functions
from rapid_mock.host.kept import KeptSettings
from rapid_mock.host.layers import LayerOperations
from rapid_mock.host.operations import (
    concurrency_operations,
    event_invoke_operations,
    function_operations,
    kept_operations,
    layer_operations,
    mapping_operations,
    policy_operations,
    url_operations,
)
from rapid_mock.host.policies import PolicyOperations
from rapid_mock.http.control_api import Answer, Download, add_control_api
from rapid_mock.http.router import Router
from rapid_mock.service.calls import Call
from rapid_mock.service.event_invoke import EventInvokeConfigs
from rapid_mock.service.policies import Policies
from rapid_mock.triggers.mappings import MappingOperations


class LambdaApi:
    """Answers the operations on what a service has; `wall` is now in epoch seconds.

    `call_aws` calls other services, where there are any: code may lie in S3 then.
    """

    def __init__(
        self,
        functions: Functions,
        *,
        urls: FunctionUrls,
        configs: EventInvokeConfigs,
        policies: Policies,
        mappings: MappingOperations,
        wall: Callable[[], float],
        call_aws: CallAws | None = None,
    ) -> None:
        self._downloads = Downloads(functions.store)
        self._operations = [
            *function_operations(FunctionOperations(functions, self._downloads, mappings.tags)),
            *concurrency_operations(ConcurrencyOperations(functions)),
            *layer_operations(LayerOperations(functions, self._downloads)),
            *kept_operations(KeptSettings(functions)),
            *url_operations(urls),
            *mapping_operations(mappings),
            *policy_operations(PolicyOperations(functions, policies)),
            *event_invoke_operations(EventInvokeOperations(functions, configs, wall)),
        ]
        if call_aws is not None:
            self._operations = [*map(CodeInS3(call_aws).before, self._operations)]
        self._by_name = {each.name: each for each in self._operations}

    def add_to(self, router: Router) -> None:
        """Serve all of them, and the code that GetFunction points to."""
        add_control_api(router, self._operations)
        router.add("GET", CODE_PATH, Download(self._downloads.find))

    def answer(self, operation: str, call: Call) -> Answer:
        """What an operation gives, by its name; raises ServiceError."""
        return self._by_name[operation].answer(call)
