"""Events of HTTP front ends and of services that send no records, against AWS's literals."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime

from rapid_mock import events
from tests.support.event_texts import UUID, Like

APRIL_2015 = datetime(2015, 4, 9, 12, 34, 56, tzinfo=UTC)
MARCH_2020 = datetime(2020, 3, 12, 19, 3, 58, 390_000, tzinfo=UTC)
TRACE = "Root=1-[0-9a-f]{8}-[0-9a-f]{24}"


def test_eventbridge() -> None:
    """An event of a bus has AWS's nine fields, its time in whole seconds."""
    event = events.eventbridge(
        {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
        detail_type="EC2 Instance State-change Notification",
        source="aws.ec2",
        resources=["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
        event_id="6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        region="us-west-1",
        account="111122223333",
        at=datetime(2017, 12, 22, 18, 43, 48, 700_000, tzinfo=UTC),
    )
    assert event == {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "111122223333",
        "time": "2017-12-22T18:43:48Z",
        "region": "us-west-1",
        "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
        "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
    }


def test_scheduled() -> None:
    """A schedule's event names its rule and has no detail."""
    assert events.scheduled("my-schedule", at=datetime(2015, 10, 8, 16, 53, 6, tzinfo=UTC)) == {
        "version": "0",
        "id": Like(UUID),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2015-10-08T16:53:06Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-schedule"],
        "detail": {},
    }


def test_time_without_a_zone_is_utc() -> None:
    """A datetime that names no zone means UTC, wherever the test runs."""
    moment = datetime(2026, 1, 31, 12, 0, 0)  # noqa: DTZ001  the missing zone is the point
    assert events.scheduled(at=moment)["time"] == "2026-01-31T12:00:00Z"


def test_cloudwatch_logs() -> None:
    """Log events are gzipped JSON in base64."""
    event = events.cloudwatch_logs(
        "[ERROR] First", "[ERROR] Second", log_group="testLogGroup", filters=["f"], at=1440442987
    )
    assert list(event) == ["awslogs"]
    assert list(event["awslogs"]) == ["data"]
    assert json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"]))) == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "testLogGroup",
        "logStream": "my-log-stream",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {
                "id": "31953106606966983378809025079804211143289615424298221568",
                "timestamp": 1440442987000,
                "message": "[ERROR] First",
            },
            {
                "id": "31953106606966983378809025079804211143289615424298221569",
                "timestamp": 1440442987000,
                "message": "[ERROR] Second",
            },
        ],
    }


def test_api_gateway_v1() -> None:
    """A REST API's event: single members hold the last value, multi members all, absent is null."""
    event = events.api_gateway_v1(
        "POST",
        "/orders/7",
        resource="/orders/{id}",
        query={"tag": ["a", "b"], "page": "2"},
        headers={"X-Kind": ["one", "two"]},
        body={"n": 1},
        path_parameters={"id": "7"},
        authorizer={"principalId": "ada"},
        source_ip="198.51.100.7",
        request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        at=APRIL_2015,
    )
    host = event["requestContext"]["domainName"]
    api_id = event["requestContext"]["apiId"]
    assert api_id == Like("[a-z0-9]{10}")
    assert host == f"{api_id}.execute-api.us-east-1.amazonaws.com"
    assert event == {
        "resource": "/orders/{id}",
        "path": "/orders/7",
        "httpMethod": "POST",
        "headers": {
            "accept": "*/*",
            "content-length": "8",
            "content-type": "application/json",
            "host": host,
            "user-agent": "curl/8.5.0",
            "x-amzn-trace-id": Like(TRACE),
            "x-forwarded-for": "198.51.100.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-kind": "two",
        },
        "multiValueHeaders": {
            "accept": ["*/*"],
            "content-length": ["8"],
            "content-type": ["application/json"],
            "host": [host],
            "user-agent": ["curl/8.5.0"],
            "x-amzn-trace-id": [Like(TRACE)],
            "x-forwarded-for": ["198.51.100.7"],
            "x-forwarded-port": ["443"],
            "x-forwarded-proto": ["https"],
            "x-kind": ["one", "two"],
        },
        "queryStringParameters": {"tag": "b", "page": "2"},
        "multiValueQueryStringParameters": {"tag": ["a", "b"], "page": ["2"]},
        "pathParameters": {"id": "7"},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": api_id,
            "authorizer": {"principalId": "ada"},
            "domainName": host,
            "domainPrefix": api_id,
            "extendedRequestId": Like("[a-z0-9]{15}="),
            "httpMethod": "POST",
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": "198.51.100.7",
                "user": None,
                "userAgent": "curl/8.5.0",
                "userArn": None,
            },
            "path": "/prod/orders/7",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "09/Apr/2015:12:34:56 +0000",
            "requestTimeEpoch": 1428582896000,
            "resourceId": Like("[a-z0-9]{6}"),
            "resourcePath": "/orders/{id}",
            "stage": "prod",
        },
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }


def test_api_gateway_v1_without_anything() -> None:
    """A plain GET has null parameters and a null body."""
    event = events.api_gateway_v1()
    absent = [name for name, value in event.items() if value is None]
    assert absent == [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ]
    assert "version" not in event
    assert "authorizer" not in event["requestContext"]


def test_api_gateway_v1_of_an_http_api() -> None:
    """An HTTP API with payload format 1.0 says so."""
    assert events.api_gateway_v1(http_api=True)["version"] == "1.0"


def test_api_gateway_v2() -> None:
    """An HTTP API's event: values of one name are joined by commas, cookies stand apart."""
    event = events.api_gateway_v2(
        "POST",
        "/my/path",
        query={"parameter1": ["value1", "value2"], "parameter2": "a b"},
        headers={"Header2": ["value1", "value2"], "User-Agent": "agent"},
        cookies=["cookie1=a", "cookie2=b"],
        body="Hello from Lambda",
        path_parameters={"parameter1": "value1"},
        stage_variables={"stageVariable1": "value1"},
        authorizer={"jwt": {"claims": {"claim1": "value1"}, "scopes": ["scope1"]}},
        request_id="id",
        at=MARCH_2020,
    )
    api_id = event["requestContext"]["apiId"]
    host = f"{api_id}.execute-api.us-east-1.amazonaws.com"
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=a+b",
        "cookies": ["cookie1=a", "cookie2=b"],
        "headers": {
            "accept": "*/*",
            "content-length": "17",
            "content-type": "text/plain",
            "header2": "value1,value2",
            "host": host,
            "user-agent": "agent",
            "x-amzn-trace-id": Like(TRACE),
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "a b"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": Like("[a-z0-9]{10}"),
            "authorizer": {"jwt": {"claims": {"claim1": "value1"}, "scopes": ["scope1"]}},
            "domainName": host,
            "domainPrefix": api_id,
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838390,
        },
        "body": "Hello from Lambda",
        "pathParameters": {"parameter1": "value1"},
        "isBase64Encoded": False,
        "stageVariables": {"stageVariable1": "value1"},
    }


def test_api_gateway_v2_without_anything() -> None:
    """What a plain GET has not is absent, not null."""
    assert list(events.api_gateway_v2()) == [
        "version",
        "routeKey",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "isBase64Encoded",
    ]


def test_api_gateway_v2_of_a_named_stage_and_route() -> None:
    """A named stage stands before the path; the route's key is said twice."""
    event = events.api_gateway_v2("GET", "/pets", stage="test", route_key="GET /pets")
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/test/pets",) * 2
    assert (event["routeKey"], event["requestContext"]["routeKey"]) == ("GET /pets",) * 2


def test_function_url() -> None:
    """A public Function URL's event names an anonymous account and the URL's own host."""
    event = events.function_url("POST", "/a", query={"q": "1"}, body=b"\x00", at=MARCH_2020)
    url_id = event["requestContext"]["apiId"]
    host = f"{url_id}.lambda-url.us-east-1.on.aws"
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a",
        "rawQueryString": "q=1",
        "headers": {
            "accept": "*/*",
            "content-length": "1",
            "content-type": "application/octet-stream",
            "host": host,
            "user-agent": "curl/8.5.0",
            "x-amzn-trace-id": Like(TRACE),
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"q": "1"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": Like("[a-z0-9]{32}"),
            "domainName": host,
            "domainPrefix": url_id,
            "http": {
                "method": "POST",
                "path": "/a",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl/8.5.0",
            },
            "requestId": Like(UUID),
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838390,
        },
        "body": "AA==",
        "isBase64Encoded": True,
    }


def test_function_url_with_iam() -> None:
    """A Function URL with IAM names the caller, and the account instead of `anonymous`."""
    context = events.function_url(iam_user="ada", cookies=["a=1"])["requestContext"]
    assert context["accountId"] == "123456789012"
    iam = context["authorizer"]["iam"]
    assert iam == {
        "accessKey": Like("AKIA[A-Z2-7]{16}"),
        "accountId": "123456789012",
        "callerId": Like("AIDA[A-Z2-7]{17}"),
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::123456789012:user/ada",
        "userId": iam["callerId"],
    }


def test_alb() -> None:
    """A load balancer's event has the last value of each name, still URL-encoded."""
    event = events.alb(
        query={"query": "1234 ABCD", "tag": ["a", "b&"]}, headers={"Accept": "text/html"}
    )
    host = event["headers"]["host"]
    assert event == {
        "requestContext": {
            "elb": {
                "targetGroupArn": Like(
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
                    "targetgroup/my-target-group/[0-9a-f]{16}"
                )
            }
        },
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {"query": "1234+ABCD", "tag": "b%26"},
        "headers": {
            "accept": "text/html",
            "host": host,
            "user-agent": "curl/8.5.0",
            "x-amzn-trace-id": Like(TRACE),
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "body": "",
        "isBase64Encoded": False,
    }


def test_alb_with_multi_value_headers() -> None:
    """With multi-value headers the members with all values replace the others."""
    event = events.alb(query={"tag": ["a", "b"]}, headers={"x": ["1", "2"]}, multi_value=True)
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b"]}
    assert event["multiValueHeaders"]["x"] == ["1", "2"]
    assert not {"headers", "queryStringParameters"} & set(event)
