"""A template's text as plain objects: YAML with CloudFormation's short tags, or JSON.

`!Ref x` becomes `{"Ref": x}`, `!Sub` and the others `{"Fn::Sub": ...}`. Source: "Intrinsic function
reference", AWS CloudFormation User Guide.
"""

from __future__ import annotations

from typing import Any

from rapid_mock.errors import SetupError

_PLAIN = frozenset({"Ref", "Condition"})


def read_template(text: str, name: str) -> dict[str, Any]:
    """The template; raises SetupError for what is none, or without a YAML parser."""
    try:
        import yaml
    except ImportError as error:
        raise SetupError("pyyaml is missing: pip install 'lambda-runtime-sdk[sam]'") from error

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's tags, and takes dates for the text that they are."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def short_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in _PLAIN else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", short_tag)
    try:
        found = yaml.load(text, Loader)  # noqa: S506  a safe loader with plain tags
    except yaml.YAMLError as error:
        raise SetupError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise SetupError(f"{name} has no Resources: it is no template")
    return found
