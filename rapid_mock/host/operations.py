"""Where each operation of the Lambda API is, and who answers it.

Source: Lambda API reference, whose paths and statuses these are.
"""

from __future__ import annotations

from rapid_mock.host.concurrency import ConcurrencyOperations
from rapid_mock.host.control import FunctionOperations
from rapid_mock.host.event_invoke import EventInvokeOperations
from rapid_mock.host.function_urls import FunctionUrls
from rapid_mock.host.kept import KeptSettings
from rapid_mock.host.layers import LayerOperations
from rapid_mock.host.policies import PolicyOperations
from rapid_mock.http.control_api import Operation
from rapid_mock.triggers.mappings import MappingOperations

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


def kept_operations(of: KeptSettings) -> list[Operation]:
    """What is kept and shown, and changes nothing here."""
    recursion = "/2024-08-31/functions/{function_name}/recursion-config"
    updates = "/2021-07-20/functions/{function_name}/runtime-management-config"
    signing = "/2020-06-30/functions/{function_name}/code-signing-config"
    return [
        Operation("GetFunctionRecursionConfig", "GET", recursion, 200, of.get_recursion),
        Operation("PutFunctionRecursionConfig", "PUT", recursion, 200, of.put_recursion),
        Operation("GetRuntimeManagementConfig", "GET", updates, 200, of.get_runtime_management),
        Operation("PutRuntimeManagementConfig", "PUT", updates, 200, of.put_runtime_management),
        Operation("GetFunctionCodeSigningConfig", "GET", signing, 200, of.get_code_signing),
    ]


def url_operations(of: FunctionUrls) -> list[Operation]:
    """Function URLs."""
    url, urls = (f"/2021-10-31/functions/{{function_name}}/{last}" for last in ("url", "urls"))
    return [
        Operation("CreateFunctionUrlConfig", "POST", url, 201, of.create_url),
        Operation("GetFunctionUrlConfig", "GET", url, 200, of.get_url),
        Operation("UpdateFunctionUrlConfig", "PUT", url, 200, of.update_url),
        Operation("DeleteFunctionUrlConfig", "DELETE", url, 204, of.delete_url),
        Operation("ListFunctionUrlConfigs", "GET", urls, 200, of.list_urls),
    ]


def event_invoke_operations(of: EventInvokeOperations) -> list[Operation]:
    """Retries, age and destinations of asynchronous invocations."""
    config = "/2019-09-25/functions/{function_name}/event-invoke-config"
    return [
        Operation("PutFunctionEventInvokeConfig", "PUT", config, 200, of.put_config),
        Operation("UpdateFunctionEventInvokeConfig", "POST", config, 200, of.update_config),
        Operation("GetFunctionEventInvokeConfig", "GET", config, 200, of.get_config),
        Operation("DeleteFunctionEventInvokeConfig", "DELETE", config, 204, of.delete_config),
        Operation("ListFunctionEventInvokeConfigs", "GET", f"{config}/list", 200, of.list_configs),
    ]


def mapping_operations(of: MappingOperations) -> list[Operation]:
    """Event source mappings; older clients end the list's path in a slash."""
    mappings = "/2015-03-31/event-source-mappings"
    mapping = f"{mappings}/{{uuid}}"
    return [
        Operation("CreateEventSourceMapping", "POST", mappings, 202, of.create),
        Operation("CreateEventSourceMapping", "POST", f"{mappings}/", 202, of.create),
        Operation("ListEventSourceMappings", "GET", mappings, 200, of.list),
        Operation("ListEventSourceMappings", "GET", f"{mappings}/", 200, of.list),
        Operation("GetEventSourceMapping", "GET", mapping, 200, of.get),
        Operation("UpdateEventSourceMapping", "PUT", mapping, 202, of.update),
        Operation("DeleteEventSourceMapping", "DELETE", mapping, 202, of.delete),
    ]


def policy_operations(of: PolicyOperations) -> list[Operation]:
    """Who may invoke a function."""
    policy = f"{_FUNCTION}/policy"
    statement = f"{policy}/{{statement_id}}"
    return [
        Operation("AddPermission", "POST", policy, 201, of.add_permission),
        Operation("GetPolicy", "GET", policy, 200, of.get_policy),
        Operation("RemovePermission", "DELETE", statement, 204, of.remove_permission),
    ]


def concurrency_operations(of: ConcurrencyOperations) -> list[Operation]:
    """Reserved and provisioned concurrency, and the account's limits."""
    reserved = "functions/{function_name}/concurrency"
    provisioned = "/2019-09-30/functions/{function_name}/provisioned-concurrency"
    settings = "/2016-08-19/account-settings"
    return [
        Operation(
            "PutFunctionConcurrency",
            "PUT",
            f"/2017-10-31/{reserved}",
            200,
            of.put_function_concurrency,
        ),
        Operation(
            "GetFunctionConcurrency",
            "GET",
            f"/2019-09-30/{reserved}",
            200,
            of.get_function_concurrency,
        ),
        Operation(
            "DeleteFunctionConcurrency",
            "DELETE",
            f"/2017-10-31/{reserved}",
            204,
            of.delete_function_concurrency,
        ),
        Operation("PutProvisionedConcurrencyConfig", "PUT", provisioned, 202, of.put_provisioned),
        Operation("GetProvisionedConcurrencyConfig", "GET", provisioned, 200, of.get_provisioned),
        Operation(
            "DeleteProvisionedConcurrencyConfig", "DELETE", provisioned, 204, of.delete_provisioned
        ),
        Operation(
            "ListProvisionedConcurrencyConfigs",
            "GET",
            provisioned,
            200,
            of.list_provisioned,
            is_by_query="List",
        ),
        Operation("GetAccountSettings", "GET", settings, 200, of.get_account_settings),
        Operation("GetAccountSettings", "GET", f"{settings}/", 200, of.get_account_settings),
    ]


def layer_operations(of: LayerOperations) -> list[Operation]:
    """Layers and their versions."""
    layers = "/2018-10-31/layers"
    versions = f"{layers}/{{layer_name}}/versions"
    version = f"{versions}/{{number}}"
    by_arn = "GetLayerVersionByArn"
    return [
        Operation("PublishLayerVersion", "POST", versions, 201, of.publish_layer_version),
        Operation("ListLayerVersions", "GET", versions, 200, of.list_layer_versions),
        Operation("GetLayerVersion", "GET", version, 200, of.get_layer_version),
        Operation("DeleteLayerVersion", "DELETE", version, 204, of.delete_layer_version),
        Operation("ListLayers", "GET", layers, 200, of.list_layers),
        Operation(by_arn, "GET", layers, 200, of.get_layer_version_by_arn, is_by_query="find"),
    ]
