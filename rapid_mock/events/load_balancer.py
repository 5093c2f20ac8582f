"""Events of Application Load Balancers.

Source: "Lambda functions as targets", Elastic Load Balancing User Guide.
"""

from __future__ import annotations

from urllib.parse import quote_plus

from rapid_mock.events.requests import Query, encoded_body, last, request_headers, values_of
from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin


def alb(
    method: str = "GET",
    path: str = "/",
    *,
    query: Query | None = None,
    headers: Query | None = None,
    body: Body = "",
    multi_value: bool = False,
    target_group: str = "my-target-group",
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A request through a target group; query values stay URL-encoded, as the balancer leaves them.

    `multi_value` is the target group's attribute: the members with all values then stand in place
    of those with the last.
    """
    origin = Origin(seed, at, region, account)
    group = f"targetgroup/{target_group}/{origin.hexadecimal(16)}"
    host = f"my-alb-{origin.letters(10, '0123456789')}.{region}.elb.amazonaws.com"
    all_headers = request_headers(headers, body or None, host, origin)
    parameters = {
        quote_plus(name): [quote_plus(value) for value in values]
        for name, values in values_of(query).items()
    }
    text, is_base64 = encoded_body(body)
    return {
        "requestContext": {"elb": {"targetGroupArn": origin.arn("elasticloadbalancing", group)}},
        "httpMethod": method,
        "path": path,
        **(
            {"multiValueQueryStringParameters": parameters, "multiValueHeaders": all_headers}
            if multi_value
            else {"queryStringParameters": last(parameters), "headers": last(all_headers)}
        ),
        "body": text,
        "isBase64Encoded": is_base64,
    }
