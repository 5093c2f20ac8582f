"""The wire vocabulary of AWS Lambda's in-environment APIs, written once.

Operations, headers, environment variables, event types, error types and limits of the
Runtime, Extensions, Logs, Telemetry, metadata and Invoke APIs. Names only: nothing here
parses or renders, and nothing is imported, so that a runtime, an extension and the local
Lambda can share the words without sharing a bug.

Sources: "Using the Lambda runtime API for custom runtimes", "Using the Lambda Extensions API",
"Lambda Telemetry API reference", "Lambda Logs API" (AWS Lambda Developer Guide); texts of
refusals as AWS's Runtime Interface Emulator sends them.
"""

from __future__ import annotations


class Operation(tuple[str, str, int]):
    """One API operation: `method`, `path` template (`{request_id}` inside), `success` status."""

    __slots__ = ()

    def __new__(cls, method: str, path: str, success: int) -> Operation:  # noqa: PYI034  Self needs typing
        return tuple.__new__(cls, (method, path, success))

    @property
    def method(self) -> str:
        return self[0]

    @property
    def path(self) -> str:
        return self[1]

    @property
    def success(self) -> int:
        return self[2]


# --- Operations -----------------------------------------------------------------------------

RUNTIME_NEXT = Operation("GET", "/2018-06-01/runtime/invocation/next", 200)
RUNTIME_RESPONSE = Operation("POST", "/2018-06-01/runtime/invocation/{request_id}/response", 202)
RUNTIME_ERROR = Operation("POST", "/2018-06-01/runtime/invocation/{request_id}/error", 202)
RUNTIME_INIT_ERROR = Operation("POST", "/2018-06-01/runtime/init/error", 202)
RUNTIME_RESTORE_NEXT = Operation("GET", "/2018-06-01/runtime/restore/next", 200)
RUNTIME_RESTORE_ERROR = Operation("POST", "/2018-06-01/runtime/restore/error", 202)
RUNTIME_PING = Operation("GET", "/2018-06-01/ping", 200)

EXTENSION_REGISTER = Operation("POST", "/2020-01-01/extension/register", 200)
EXTENSION_NEXT = Operation("GET", "/2020-01-01/extension/event/next", 200)
EXTENSION_INIT_ERROR = Operation("POST", "/2020-01-01/extension/init/error", 202)
EXTENSION_EXIT_ERROR = Operation("POST", "/2020-01-01/extension/exit/error", 202)

LOGS_SUBSCRIBE = Operation("PUT", "/2020-08-15/logs", 200)
TELEMETRY_SUBSCRIBE = Operation("PUT", "/2022-07-01/telemetry", 200)
CREDENTIALS = Operation("GET", "/2021-04-23/credentials", 200)
METADATA = Operation("GET", "/2026-01-15/metadata/execution-environment", 200)

INVOKE = Operation("POST", "/2015-03-31/functions/{function_name}/invocations", 200)
INVOKE_WITH_RESPONSE_STREAM = Operation(
    "POST", "/2021-11-15/functions/{function_name}/response-streaming-invocations", 200
)
INVOKE_ASYNC = Operation("POST", "/2014-11-13/functions/{function_name}/invoke-async", 202)

# --- Headers: Runtime API -------------------------------------------------------------------

HEADER_REQUEST_ID = "Lambda-Runtime-Aws-Request-Id"
HEADER_DEADLINE_MS = "Lambda-Runtime-Deadline-Ms"
HEADER_INVOKED_FUNCTION_ARN = "Lambda-Runtime-Invoked-Function-Arn"
HEADER_TRACE_ID = "Lambda-Runtime-Trace-Id"
HEADER_CLIENT_CONTEXT = "Lambda-Runtime-Client-Context"
HEADER_COGNITO_IDENTITY = "Lambda-Runtime-Cognito-Identity"
HEADER_TENANT_ID = "Lambda-Runtime-Aws-Tenant-Id"
HEADER_INVOCATION_ID = "Lambda-Runtime-Invocation-Id"
HEADER_RESPONSE_MODE = "Lambda-Runtime-Function-Response-Mode"
HEADER_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
HEADER_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
HEADER_XRAY_ERROR_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
HEADER_RUNTIME_FEATURES = "Lambda-Runtime-Features"

# --- Headers: Extensions API ----------------------------------------------------------------

HEADER_EXTENSION_NAME = "Lambda-Extension-Name"
HEADER_EXTENSION_IDENTIFIER = "Lambda-Extension-Identifier"
HEADER_EXTENSION_EVENT_IDENTIFIER = "Lambda-Extension-Event-Identifier"
HEADER_EXTENSION_ACCEPT_FEATURE = "Lambda-Extension-Accept-Feature"
HEADER_EXTENSION_ERROR_TYPE = "Lambda-Extension-Function-Error-Type"

# --- Headers: Invoke API --------------------------------------------------------------------

HEADER_INVOCATION_TYPE = "X-Amz-Invocation-Type"
HEADER_LOG_TYPE = "X-Amz-Log-Type"
HEADER_LOG_RESULT = "X-Amz-Log-Result"
HEADER_INVOKE_CLIENT_CONTEXT = "X-Amz-Client-Context"
HEADER_INVOKE_TENANT_ID = "X-Amz-Tenant-Id"
HEADER_EXECUTED_VERSION = "X-Amz-Executed-Version"
HEADER_FUNCTION_ERROR = "X-Amz-Function-Error"
HEADER_AMZN_REQUEST_ID = "x-amzn-RequestId"
HEADER_AMZN_ERROR_TYPE = "x-amzn-ErrorType"
HEADER_AMZN_TRACE_ID = "X-Amzn-Trace-Id"

# --- Content types --------------------------------------------------------------------------

CONTENT_TYPE_JSON = "application/json"
CONTENT_TYPE_BYTES = "application/octet-stream"
CONTENT_TYPE_UNKNOWN = "application/unknown"
CONTENT_TYPE_ERROR_CAUSE = "application/vnd.aws.lambda.error.cause+json"
CONTENT_TYPE_HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response"
CONTENT_TYPE_EVENT_STREAM = "application/vnd.amazon.eventstream"

RESPONSE_MODE_STREAMING = "streaming"
RESPONSE_MODE_BUFFERED = "buffered"
STREAM_PRELUDE_DELIMITER = b"\0" * 8
FEATURE_ACCOUNT_ID = "accountId"
TRACING_TYPE = "X-Amzn-Trace-Id"

# --- Environment variables ------------------------------------------------------------------

ENV_RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
ENV_HANDLER = "_HANDLER"
ENV_TASK_ROOT = "LAMBDA_TASK_ROOT"
ENV_RUNTIME_DIR = "LAMBDA_RUNTIME_DIR"
ENV_FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"
ENV_FUNCTION_VERSION = "AWS_LAMBDA_FUNCTION_VERSION"
ENV_FUNCTION_MEMORY_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
ENV_FUNCTION_TIMEOUT = "AWS_LAMBDA_FUNCTION_TIMEOUT"
ENV_LOG_GROUP_NAME = "AWS_LAMBDA_LOG_GROUP_NAME"
ENV_LOG_STREAM_NAME = "AWS_LAMBDA_LOG_STREAM_NAME"
ENV_LOG_FORMAT = "AWS_LAMBDA_LOG_FORMAT"
ENV_LOG_LEVEL = "AWS_LAMBDA_LOG_LEVEL"
ENV_INITIALIZATION_TYPE = "AWS_LAMBDA_INITIALIZATION_TYPE"
ENV_MAX_CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY"
ENV_EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
ENV_EXECUTION_ENV = "AWS_EXECUTION_ENV"
ENV_METADATA_API = "AWS_LAMBDA_METADATA_API"
ENV_METADATA_TOKEN = "AWS_LAMBDA_METADATA_TOKEN"
ENV_REGION = "AWS_REGION"
ENV_DEFAULT_REGION = "AWS_DEFAULT_REGION"
ENV_ENDPOINT_URL = "AWS_ENDPOINT_URL"
ENV_ACCESS_KEY = "AWS_ACCESS_KEY"
ENV_ACCESS_KEY_ID = "AWS_ACCESS_KEY_ID"
ENV_SECRET_ACCESS_KEY = "AWS_SECRET_ACCESS_KEY"
ENV_SESSION_TOKEN = "AWS_SESSION_TOKEN"
ENV_CONTAINER_CREDENTIALS_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
ENV_CONTAINER_AUTHORIZATION_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
ENV_TRACE_ID = "_X_AMZN_TRACE_ID"
ENV_XRAY_CONTEXT_MISSING = "AWS_XRAY_CONTEXT_MISSING"
ENV_XRAY_DAEMON_ADDRESS = "AWS_XRAY_DAEMON_ADDRESS"
ENV_PRIVATE_XRAY_DAEMON_ADDRESS = "_AWS_XRAY_DAEMON_ADDRESS"
ENV_PRIVATE_XRAY_DAEMON_PORT = "_AWS_XRAY_DAEMON_PORT"
ENV_TELEMETRY_LOG_FD = "_LAMBDA_TELEMETRY_LOG_FD"
ENV_TELEMETRY_LOG_FD_PROVIDER_SOCKET = "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET"

ENV_RESERVED = frozenset(
    {
        ENV_HANDLER,
        ENV_TRACE_ID,
        ENV_DEFAULT_REGION,
        ENV_REGION,
        ENV_EXECUTION_ENV,
        ENV_FUNCTION_NAME,
        ENV_FUNCTION_MEMORY_SIZE,
        ENV_FUNCTION_VERSION,
        ENV_INITIALIZATION_TYPE,
        ENV_LOG_GROUP_NAME,
        ENV_LOG_STREAM_NAME,
        ENV_ACCESS_KEY,
        ENV_ACCESS_KEY_ID,
        ENV_SECRET_ACCESS_KEY,
        ENV_SESSION_TOKEN,
        ENV_RUNTIME_API,
        ENV_TASK_ROOT,
        ENV_RUNTIME_DIR,
        ENV_MAX_CONCURRENCY,
        ENV_METADATA_API,
        ENV_METADATA_TOKEN,
    }
)
ENV_WITHHELD_FROM_EXTENSIONS = frozenset(
    {
        ENV_EXECUTION_ENV,
        ENV_LOG_GROUP_NAME,
        ENV_LOG_STREAM_NAME,
        ENV_XRAY_CONTEXT_MISSING,
        ENV_XRAY_DAEMON_ADDRESS,
        ENV_RUNTIME_DIR,
        ENV_TASK_ROOT,
        ENV_PRIVATE_XRAY_DAEMON_ADDRESS,
        ENV_PRIVATE_XRAY_DAEMON_PORT,
        ENV_HANDLER,
    }
)

# --- Initialization types, log formats, phases ----------------------------------------------

INITIALIZATION_ON_DEMAND = "on-demand"
INITIALIZATION_PROVISIONED = "provisioned-concurrency"
INITIALIZATION_SNAP_START = "snap-start"
INITIALIZATION_MANAGED_INSTANCES = "lambda-managed-instances"

LOG_FORMAT_TEXT = "Text"
LOG_FORMAT_JSON = "JSON"

PHASE_INIT = "init"
PHASE_INVOKE = "invoke"

# --- Extension events -----------------------------------------------------------------------

EVENT_INVOKE = "INVOKE"
EVENT_SHUTDOWN = "SHUTDOWN"

SHUTDOWN_SPINDOWN = "spindown"
SHUTDOWN_TIMEOUT = "timeout"
SHUTDOWN_FAILURE = "failure"

# --- Telemetry ------------------------------------------------------------------------------

TELEMETRY_PLATFORM = "platform"
TELEMETRY_FUNCTION = "function"
TELEMETRY_EXTENSION = "extension"
TELEMETRY_TYPES = (TELEMETRY_PLATFORM, TELEMETRY_FUNCTION, TELEMETRY_EXTENSION)
TELEMETRY_SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
LOGS_SCHEMAS = ("2020-08-15", "2021-03-18")
DESTINATION_HTTP = "HTTP"
DESTINATION_TCP = "TCP"
DESTINATION_HOSTS = ("sandbox.localdomain", "sandbox")

PLATFORM_INIT_START = "platform.initStart"
PLATFORM_INIT_RUNTIME_DONE = "platform.initRuntimeDone"
PLATFORM_INIT_REPORT = "platform.initReport"
PLATFORM_RESTORE_START = "platform.restoreStart"
PLATFORM_RESTORE_RUNTIME_DONE = "platform.restoreRuntimeDone"
PLATFORM_RESTORE_REPORT = "platform.restoreReport"
PLATFORM_START = "platform.start"
PLATFORM_RUNTIME_DONE = "platform.runtimeDone"
PLATFORM_REPORT = "platform.report"
PLATFORM_END = "platform.end"
PLATFORM_FAULT = "platform.fault"
PLATFORM_EXTENSION = "platform.extension"
PLATFORM_TELEMETRY_SUBSCRIPTION = "platform.telemetrySubscription"
PLATFORM_LOGS_SUBSCRIPTION = "platform.logsSubscription"
PLATFORM_LOGS_DROPPED = "platform.logsDropped"

STATUS_SUCCESS = "success"
STATUS_ERROR = "error"
STATUS_FAILURE = "failure"
STATUS_TIMEOUT = "timeout"

# --- Error types: what a caller may see as `errorType` --------------------------------------

ERROR_INVALID_REQUEST_ID = "InvalidRequestID"
ERROR_INVALID_STATE_TRANSITION = "InvalidStateTransition"
ERROR_INVALID_RESPONSE_MODE = "InvalidFunctionResponseMode"
ERROR_REQUEST_TOO_LARGE = "RequestEntityTooLarge"
ERROR_TRUNCATED_REQUEST = "TruncatedHTTPRequest"
ERROR_INTERNAL = "InternalServerError"
ERROR_INVALID_REQUEST_FORMAT = "InvalidRequestFormat"
ERROR_INVOKE_TIMEOUT = "InvokeTimeout"

ERROR_EXTENSION_INVALID_NAME = "Extension.InvalidExtensionName"
ERROR_EXTENSION_INVALID_EVENT_TYPE = "Extension.InvalidEventType"
ERROR_EXTENSION_INVALID_STATE = "Extension.InvalidExtensionState"
ERROR_EXTENSION_REGISTRATION_CLOSED = "Extension.RegistrationClosed"
ERROR_EXTENSION_TOO_MANY = "Extension.TooManyExtensions"
ERROR_EXTENSION_MISSING_IDENTIFIER = "Extension.MissingExtensionIdentifier"
ERROR_EXTENSION_INVALID_IDENTIFIER = "Extension.InvalidExtensionIdentifier"
ERROR_EXTENSION_UNKNOWN_IDENTIFIER = "Extension.UnknownExtensionIdentifier"
ERROR_EXTENSION_MISSING_HEADER = "Extension.MissingHeader"
ERROR_EXTENSION_LAUNCH = "Extension.LaunchError"
ERROR_EXTENSION_CRASH = "Extension.Crash"
ERROR_EXTENSION_INIT = "Extension.InitError"
ERROR_EXTENSION_EXIT = "Extension.ExitError"

ERROR_TELEMETRY_NOT_SUPPORTED = "Telemetry.NotSupported"
ERROR_TELEMETRY_CLOSED = "Telemetry.SubscriptionClosed"
ERROR_LOGS_NOT_SUPPORTED = "Logs.NotSupported"
ERROR_LOGS_CLOSED = "Logs.SubscriptionClosed"
ERROR_LOGS_VALIDATION = "Logs.ValidationError"
ERROR_VALIDATION = "ValidationError"

ERROR_RUNTIME_EXIT = "Runtime.ExitError"
ERROR_RUNTIME_INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
ERROR_RUNTIME_INVALID_WORKING_DIR = "Runtime.InvalidWorkingDir"
ERROR_RUNTIME_INVALID_TASK_CONFIG = "Runtime.InvalidTaskConfig"
ERROR_RUNTIME_INVALID_RESPONSE_MODE = "Runtime.InvalidResponseModeHeader"
ERROR_RUNTIME_OUT_OF_MEMORY = "Runtime.OutOfMemory"
ERROR_RUNTIME_TRUNCATED_RESPONSE = "Runtime.TruncatedResponse"
ERROR_RUNTIME_UNAVAILABLE = "Runtime.Unavailable"
ERROR_RUNTIME_UNKNOWN = "Runtime.Unknown"
ERROR_RUNTIME_HANDLER_NOT_FOUND = "Runtime.HandlerNotFound"
ERROR_RUNTIME_IMPORT_MODULE = "Runtime.ImportModuleError"
ERROR_RUNTIME_MALFORMED_HANDLER = "Runtime.MalformedHandlerName"
ERROR_RUNTIME_BUILTIN_CONFLICT = "Runtime.BuiltInModuleConflict"
ERROR_RUNTIME_SYNTAX = "Runtime.UserCodeSyntaxError"
ERROR_RUNTIME_MARSHAL = "Runtime.MarshalError"
ERROR_RUNTIME_UNMARSHAL = "Runtime.UnmarshalError"
ERROR_RUNTIME_CONTEXT_UNMARSHAL = "Runtime.LambdaContextUnmarshalError"
ERROR_RUNTIME_BEFORE_SNAPSHOT = "Runtime.BeforeSnapshotError"
ERROR_RUNTIME_AFTER_RESTORE = "Runtime.AfterRestoreError"
ERROR_RUNTIME_RESTORE_TIMEOUT = "Runtime.RestoreHookUserTimeout"

ERROR_FUNCTION_RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"
ERROR_FUNCTION_UNKNOWN = "Function.Unknown"
ERROR_SANDBOX_TIMEDOUT = "Sandbox.Timedout"
ERROR_SANDBOX_FAILURE = "Sandbox.Failure"

FUNCTION_ERROR_UNHANDLED = "Unhandled"
FUNCTION_ERROR_HANDLED = "Handled"

INVOCATION_REQUEST_RESPONSE = "RequestResponse"
INVOCATION_EVENT = "Event"
INVOCATION_DRY_RUN = "DryRun"

EXIT_BEFORE_SNAPSHOT_FAILED = 64
EXIT_AFTER_RESTORE_FAILED = 65

# --- Limits: bytes, seconds (`_MS`: milliseconds) -------------------------------------------

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
MAX_INVOKE_REQUEST_BYTES = 6 * 1024 * 1024
MAX_ASYNC_REQUEST_BYTES = 1024 * 1024
MAX_STREAM_BYTES = 200 * 1024 * 1024
MAX_ERROR_CAUSE_BYTES = 64 * 1024
MAX_XRAY_HEADER_BYTES = 1024 * 1024
MAX_TELEMETRY_REQUEST_BYTES = 1024 * 1024
MAX_CLIENT_CONTEXT_BYTES = 3583
MAX_LOG_TAIL_BYTES = 4096
MAX_EXTENSIONS = 10
STREAM_BURST_BYTES = 6 * 1024 * 1024
STREAM_RATE_BYTES_PER_SECOND = 2 * 1024 * 1024

INIT_TIMEOUT_SECONDS = 10.0
MANAGED_INIT_TIMEOUT_SECONDS = 130.0
RESTORE_TIMEOUT_SECONDS = 10.0
DEFAULT_TIMEOUT_SECONDS = 3.0
DEFAULT_MEMORY_MB = 128
DEFAULT_EPHEMERAL_STORAGE_MB = 512
DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT_ID = "123456789012"
SHUTDOWN_BUDGET_MS_NO_EXTENSION = 0
SHUTDOWN_BUDGET_MS_INTERNAL = 500
SHUTDOWN_BUDGET_MS_EXTERNAL = 2000
SHUTDOWN_RUNTIME_SHARE = 0.3

BUFFERING_MAX_ITEMS = (1000, 10000, 10000)
"""(smallest, largest, default) number of records in one telemetry batch."""
BUFFERING_MAX_BYTES = (262144, 1048576, 262144)
"""(smallest, largest, default) bytes in one telemetry batch."""
BUFFERING_TIMEOUT_MS = (25, 30000, 1000)
"""(smallest, largest, default) milliseconds before a telemetry batch is sent."""

EXTENSIONS_DIRECTORY = "/opt/extensions"
DISABLE_EXTENSIONS_FILE = "/opt/disable-extensions-jwigqn8j"
