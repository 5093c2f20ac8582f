"""The configurations of Function URLs: one for a function, one for each of its aliases.

Source: Lambda API reference, "CreateFunctionUrlConfig"; texts as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rapid_mock.errors import ResourceConflict, ResourceNotFound
from rapid_mock.service.calls import Body
from rapid_mock.service.constraints import Choice, Constraint, Group, Sequence, Text, Whole, check

BUFFERED, RESPONSE_STREAM = "BUFFERED", "RESPONSE_STREAM"
AUTH_NONE, AUTH_IAM = "NONE", "AWS_IAM"
_METHOD = Text(0, 6, r".*")
_CORS = Group(
    {
        "AllowHeaders": Sequence(Text(0, 1024), 100),
        "AllowMethods": Sequence(_METHOD, 6),
        "AllowOrigins": Sequence(Text(1, 253), 100),
        "ExposeHeaders": Sequence(Text(0, 1024), 100),
        "MaxAge": Whole(0, 86400),
    }
)
_CONFIG: dict[str, Constraint] = {
    "AuthType": Choice((AUTH_NONE, AUTH_IAM)),
    "InvokeMode": Choice((BUFFERED, RESPONSE_STREAM)),
    "Cors": _CORS,
}
_CREATE, _UPDATE = Group(_CONFIG, required=("AuthType",)), Group(_CONFIG)
_QUALIFIER = Group({"Qualifier": Text(1, 128, r"((?!^\d+$)^[0-9a-zA-Z-_]+$)")})


@dataclass(frozen=True, slots=True)
class UrlConfig:
    """One Function URL; `url` is where it is served, `function_arn` has the alias, if any."""

    url: str
    function_arn: str
    auth_type: str
    invoke_mode: str
    cors: Mapping[str, Any]
    created: str
    modified: str

    def members(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "FunctionUrl": self.url,
            "FunctionArn": self.function_arn,
            "AuthType": self.auth_type,
            **({"Cors": dict(self.cors)} if self.cors else {}),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "InvokeMode": self.invoke_mode,
        }

    def created_members(self) -> Body:
        """The answer to its creation, which has no time of a change."""
        return {name: v for name, v in self.members().items() if name != "LastModifiedTime"}

    def updated(self, body: Mapping[str, Any], moment: str) -> UrlConfig:
        """With what an update says; raises ValidationFailed."""
        check(body, _UPDATE)
        return replace(
            self,
            auth_type=body.get("AuthType", self.auth_type),
            invoke_mode=body.get("InvokeMode", self.invoke_mode),
            cors=body.get("Cors", self.cors),
            modified=moment,
        )


class UrlConfigs:
    """Every Function URL by function and alias; None is the function itself."""

    def __init__(self) -> None:
        self._configs: dict[tuple[str, str | None], UrlConfig] = {}

    def create(
        self, key: tuple[str, str | None], body: Mapping[str, Any], arn: str, url: str, moment: str
    ) -> UrlConfig:
        """Raises ResourceConflict where there is one; `body` has been checked."""
        config = UrlConfig(
            url,
            arn,
            body["AuthType"],
            body.get("InvokeMode", BUFFERED),
            body.get("Cors", {}),
            moment,
            moment,
        )
        self._configs[key] = config
        return config

    def check_new(self, key: tuple[str, str | None], body: Mapping[str, Any], arn: str) -> None:
        """Raises ValidationFailed for a body that cannot be, ResourceConflict for a second one."""
        check(body, _CREATE)
        if key in self._configs:
            raise ResourceConflict(
                f"Failed to create function url config for [functionArn = {arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )

    def find(self, key: tuple[str, str | None]) -> UrlConfig:
        """Raises ResourceNotFound."""
        config = self._configs.get(key)
        if config is None:
            raise ResourceNotFound("The resource you requested does not exist.")
        return config

    def update(
        self, key: tuple[str, str | None], body: Mapping[str, Any], moment: str
    ) -> UrlConfig:
        """Raises ResourceNotFound, ValidationFailed."""
        self._configs[key] = config = self.find(key).updated(body, moment)
        return config

    def delete(self, key: tuple[str, str | None]) -> None:
        """Raises ResourceNotFound."""
        self.find(key)
        del self._configs[key]

    def of(self, name: str) -> list[tuple[str | None, UrlConfig]]:
        """The URLs of a function, with their aliases."""
        return [(key[1], config) for key, config in self._configs.items() if key[0] == name]


def check_alias(query: Mapping[str, str]) -> str | None:
    """The alias of a request; raises ValidationFailed for `$LATEST` and for numbers."""
    check(query, _QUALIFIER)
    return query.get("Qualifier")
