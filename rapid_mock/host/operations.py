"""Where each operation of the Lambda API is, and who answers it.

Source: Lambda API reference, whose paths and statuses these are.
"""

from __future__ import annotations

from rapid_mock.host.control import FunctionOperations
from rapid_mock.http.control_api import Operation

_FUNCTIONS = "/2015-03-31/functions"
_FUNCTION = "/2015-03-31/functions/{function_name}"
_TAGS = "/2017-03-31/tags/{arn}"


def function_operations(of: FunctionOperations) -> list[Operation]:
    """Functions, versions, aliases and tags; older clients end the list's path in a slash."""
    aliases, alias = f"{_FUNCTION}/aliases", f"{_FUNCTION}/aliases/{{alias}}"
    configuration = f"{_FUNCTION}/configuration"
    return [
        Operation("CreateFunction", "POST", _FUNCTIONS, 201, of.create_function),
        Operation("CreateFunction", "POST", f"{_FUNCTIONS}/", 201, of.create_function),
        Operation("ListFunctions", "GET", _FUNCTIONS, 200, of.list_functions),
        Operation("ListFunctions", "GET", f"{_FUNCTIONS}/", 200, of.list_functions),
        Operation("GetFunction", "GET", _FUNCTION, 200, of.get_function),
        Operation("DeleteFunction", "DELETE", _FUNCTION, 204, of.delete_function),
        Operation(
            "GetFunctionConfiguration", "GET", configuration, 200, of.get_function_configuration
        ),
        Operation(
            "UpdateFunctionConfiguration",
            "PUT",
            configuration,
            200,
            of.update_function_configuration,
        ),
        Operation("UpdateFunctionCode", "PUT", f"{_FUNCTION}/code", 200, of.update_function_code),
        Operation("PublishVersion", "POST", f"{_FUNCTION}/versions", 201, of.publish_version),
        Operation("ListVersionsByFunction", "GET", f"{_FUNCTION}/versions", 200, of.list_versions),
        Operation("CreateAlias", "POST", aliases, 201, of.create_alias),
        Operation("ListAliases", "GET", aliases, 200, of.list_aliases),
        Operation("GetAlias", "GET", alias, 200, of.get_alias),
        Operation("UpdateAlias", "PUT", alias, 200, of.update_alias),
        Operation("DeleteAlias", "DELETE", alias, 204, of.delete_alias),
        Operation("ListTags", "GET", _TAGS, 200, of.list_tags),
        Operation("TagResource", "POST", _TAGS, 204, of.tag_resource),
        Operation("UntagResource", "DELETE", _TAGS, 204, of.untag_resource),
    ]
