"""The functions of a local Lambda: the registry, and what follows from every change of it."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rapid_mock.errors import InvalidParameterValue, SetupError
from rapid_mock.functions import FunctionOptions, define_function
from rapid_mock.host.clock import Clock
from rapid_mock.host.code_store import LOCAL_BUCKET, MAX_UNZIPPED_BYTES, CodeStore
from rapid_mock.host.deployment import (
    Deployed,
    in_thread,
    of_version,
    runtime_of,
    settings_of,
)
from rapid_mock.host.environments import FunctionDefinition
from rapid_mock.host.fleet import Fleet, OpenEnvironment
from rapid_mock.host.launch import RuntimePackage
from rapid_mock.service.concurrency import Account, Share
from rapid_mock.service.functions import Registry, not_now
from rapid_mock.service.layers import LayerRegistry
from rapid_mock.service.names import LATEST, Place
from rapid_mock.service.pools import Pool
from rapid_mock.service.provisioned import targets
from rapid_mock.service.versions import READY, Code, Failure, Stamp, Version

_SOURCES = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")


class Functions:
    """Every function with its fleet; `options` are those of functions made through the API.

    `on_deployed` hears of every version that has become invocable, `on_deleted` of every function
    that goes.
    """

    def __init__(
        self,
        place: Place,
        options: FunctionOptions,
        clock: Clock,
        open_environment: OpenEnvironment,
        *,
        on_deployed: Callable[[FunctionDefinition], None],
    ) -> None:
        self._on_deployed = on_deployed
        self.on_deleted: Callable[[str], None] = _ignore
        self.registry = Registry(place)
        self.layers = LayerRegistry(place)
        self.account = Account()
        self.store = CodeStore()
        self._options = replace(
            options, concurrency=None, max_concurrency=None, on_attach=None, runtime_api_port=0
        )
        self._clock = clock
        self._open_environment = open_environment
        self._package = RuntimePackage()
        self._deployed: dict[str, Deployed] = {}
        self._leaving: set[Fleet] = set()
        self._codes: dict[str, Code] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- From this machine ------------------------------------------------------------------

    def create_local(self, name: str, options: FunctionOptions) -> None:
        """Make a directory invocable at once; raises SetupError for what cannot be."""
        definition = define_function(name, options, self._package)
        if name in self.registry.functions:
            raise SetupError(f"function {name} exists already")
        stamp = new_stamp()
        code = self.store.add_directory(str(Path(options.code).resolve()), stamp.revision_id)
        function = self.registry.create(name, settings_of(name, options), code, stamp)
        self._open(name, options)
        self._settle(function.latest, of_version(definition, function.latest))

    async def redeploy(self, name: str) -> None:
        """Have a directory's code as it is now run; raises SetupError for what cannot be."""
        latest = self.registry.find(name).latest
        made = await self._made(latest)
        if isinstance(made, Failure):
            raise SetupError(made.reason)
        self._serve(latest, made)
        self.tidy()

    async def settled(self) -> None:
        """Wait until everything that was asked for is deployed."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    # --- Through the API --------------------------------------------------------------------

    def read_code(self, source: Mapping[str, Any], revision_id: str) -> Code:
        """Keep the code of a request; raises InvalidParameterValue for none, or for two sources."""
        given = [name for name in _SOURCES if source.get(name) is not None]
        if given == ["ZipFile"]:
            code = self.store.add_archive(source["ZipFile"])
        elif given[:2] == ["S3Bucket", "S3Key"] and source["S3Bucket"] == LOCAL_BUCKET:
            code = self.store.add_directory(source["S3Key"], revision_id)
        elif given[:1] == ["S3Bucket"]:
            raise InvalidParameterValue(
                "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: "
                "The specified bucket does not exist. There is no S3 here without --aws: give a "
                f"ZipFile, or a directory as the key in a bucket called {LOCAL_BUCKET}."
            )
        else:
            raise InvalidParameterValue(
                "Please provide a source for function code: one of ZipFile and S3Bucket."
            )
        self._codes[code.place] = code
        return code

    def check_runtime(self, runtime: str) -> None:
        """Raise InvalidParameterValue for a runtime that does not run here."""
        runtime_of(runtime, "", self._options)

    def check_size(self, code: Code, settings: Mapping[str, Any]) -> None:
        """Raise InvalidParameterValue for code that is too large together with its layers."""
        layers = self.layers.codes(settings.get("Layers", ()))
        size = code.unzipped + sum(layer.unzipped for layer in layers)
        if size > MAX_UNZIPPED_BYTES:
            raise InvalidParameterValue(
                "Function code combined with layers exceeds the maximum allowed size of "
                f"{MAX_UNZIPPED_BYTES} bytes. The actual size is {size} bytes."
            )

    def created(self, name: str) -> None:
        """Deploy every version of a new function."""
        self._open(name, self._options)
        for version in self.registry.functions[name].in_order():
            self.deploy(version)

    def deploy(self, version: Version) -> None:
        """Make a version invocable in the background; until then its old deployment serves."""
        self._start(self._deploy(version))

    def published(self, version: Version) -> None:
        """Make a version invocable: at once where it is what `$LATEST` runs as."""
        deployed = self._deployed[version.name]
        latest = deployed.pools.get(LATEST)
        if latest is None or version.condition != READY:
            self.deploy(version)
            return
        layers = self.layers.codes(version.settings.get("Layers", ()))
        self._serve(version, of_version(deployed.fleet.definition(latest), version, layers))

    def deleted(self, name: str) -> None:
        """End the environments of a function that is no longer in the registry."""
        self.on_deleted(name)
        deployed = self._deployed.pop(name)
        deployed.share.close()
        self._leaving.add(deployed.fleet)
        for number in list(deployed.pools):
            deployed.retire(number)
        self.tidy()

    def version_deleted(self, version: Version) -> None:
        """End the environments of one version that is no longer in the registry."""
        deployed = self._deployed[version.name]
        deployed.retire(version.number)
        deployed.provisioned.pop(version.number, None)
        self.provision(version.name)
        self.tidy()

    def provision(self, name: str) -> None:
        """Have the environments that the versions of a function have been promised, and no others.

        To be called whenever its configurations, its aliases or its pools have changed.
        """
        deployed, function = self._deployed[name], self.registry.functions[name]
        wanted = targets(function, deployed.provisioned)
        deployed.share.provision(sum(wanted.values()))
        before, deployed.promised = deployed.promised, {}
        for number, pool in deployed.pools.items():
            if wanted[number]:
                deployed.promised[pool] = wanted[number]
            if wanted[number] != before.get(pool, 0):
                deployed.fleet.provision(pool, wanted[number])

    def deployed(self, name: str) -> Deployed:
        """How a function of the registry runs."""
        return self._deployed[name]

    # --- Invocations ------------------------------------------------------------------------

    def resolve(
        self, text: str, qualifier: str | None, tenant_id: str | None = None
    ) -> tuple[Fleet, Pool, str]:
        """The fleet, the pool and the invoked ARN for an invocation.

        Raises ResourceNotFound, ResourceConflict for a version that is not active, and
        InvalidParameterValue without a tenant where there must be one, and with one elsewhere.
        """
        registry = self.registry
        name, qualifier = registry.parse(text, qualifier)
        registry.find(name, qualifier or LATEST)
        version = registry.version(name, qualifier, random.random())
        deployed = self._deployed[name]
        pool = deployed.pools.get(version.number)
        if pool is None:
            raise not_now(version)
        if "TenancyConfig" in version.settings:
            pool = deployed.pool_of(version.number, _tenant(tenant_id))
        elif tenant_id is not None and deployed.options is self._options:
            raise InvalidParameterValue(
                "The invoked function is not enabled with tenancy configuration. Remove the tenant "
                "ID from your request and try again."
            )
        return deployed.fleet, pool, registry.arn(name, qualifier)

    def reap(self) -> None:
        """End the environments that nobody has used since the last time."""
        for fleet in self._fleets():
            fleet.reap()

    async def reset(self) -> None:
        """Delete every function, and run the shutdown phase of its environments."""
        for name in list(self.registry.functions):
            self.registry.delete(name)
            self.deleted(name)
        await asyncio.gather(*(fleet.shut_down() for fleet in self._fleets()))

    # --- Ends -------------------------------------------------------------------------------

    async def shut_down(self) -> None:
        """Run the shutdown phase of every environment."""
        await asyncio.gather(*(fleet.shut_down() for fleet in self._fleets()))

    async def kill(self) -> None:
        """End every environment at once."""
        await asyncio.gather(*(fleet.kill() for fleet in self._fleets()))

    async def close(self) -> None:
        """Wait for what is being deployed, then remove what was unpacked."""
        await asyncio.gather(*self._tasks)
        await asyncio.get_running_loop().shutdown_default_executor()
        self._package.close()
        self.store.close()

    # --- Inside -----------------------------------------------------------------------------

    def _fleets(self) -> list[Fleet]:
        return [*(each.fleet for each in self._deployed.values()), *self._leaving]

    def _open(self, name: str, options: FunctionOptions) -> None:
        share = Share(self.account)
        fleet = Fleet(
            share=share,
            clock=self._clock,
            open_environment=self._open_environment,
            on_empty=lambda _definition: self.tidy(),
        )
        self._deployed[name] = Deployed(fleet, share, options)

    async def _deploy(self, version: Version) -> None:
        self._settle(version, await self._made(version))

    async def _made(self, version: Version) -> FunctionDefinition | Failure:
        deployed = self._deployed[version.name]
        layers = self.layers.codes(version.settings.get("Layers", ()))
        return await in_thread(
            self._one_at_a_time, version, deployed.options, layers, self.store, self._package
        )

    def _settle(self, version: Version, made: FunctionDefinition | Failure) -> None:
        failure = made if isinstance(made, Failure) else None
        if self.registry.settle(version, new_stamp(), failure) and not isinstance(made, Failure):
            self._serve(version, made)
        self.tidy()

    def _serve(self, version: Version, made: FunctionDefinition) -> None:
        """From now on invocations of a version have new environments."""
        deployed = self._deployed[version.name]
        pool = deployed.fleet.deploy(made)
        deployed.retire(version.number)
        deployed.pools[version.number] = pool
        self._on_deployed(made)
        self.provision(version.name)

    def tidy(self) -> None:
        """Forget deleted functions whose environments are gone, and code that nobody uses."""
        self._leaving = {fleet for fleet in self._leaving if fleet.code_places}
        versions = [
            version
            for function in self.registry.functions.values()
            for version in function.versions.values()
        ]
        kept = self.layers.kept()
        for version in versions:
            layers = self.layers.codes(version.settings.get("Layers", ()))
            kept.update(code.place for code in (version.code, *layers))
        kept.update(place for fleet in self._fleets() for place in fleet.code_places)
        for place, code in list(self._codes.items()):
            if place not in kept:
                del self._codes[place]
                self.store.discard(code)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def new_stamp() -> Stamp:
    """A fresh revision, now: the moment reads `2026-01-31T12:34:56.789+0000`."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Stamp(str(uuid.uuid4()), moment.replace("+00:00", "+0000"))


def _tenant(tenant_id: str | None) -> str:
    if tenant_id is None:
        raise InvalidParameterValue(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in "
            "your request and try again."
        )
    return tenant_id


def _ignore(_name: str) -> None:
    """Nobody wants to know."""
