"""Events of Amazon S3.

Source: "Event message structure", Amazon S3 User Guide, version 2.1 of the message.
"""

from __future__ import annotations

from urllib.parse import quote_plus

from rapid_mock.events.values import ACCOUNT, REGION, Event, Moment, Origin


def s3(
    *keys: str,
    bucket: str = "my-bucket",
    event_name: str = "ObjectCreated:Put",
    size: int = 1024,
    etag: str | None = None,
    version_id: str | None = None,
    configuration_id: str = "my-configuration",
    source_ip: str = "127.0.0.1",
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """One record per key (not yet URL-encoded); `event_name` has no `s3:` before it.

    A removal (`ObjectRemoved:Delete` ...) has neither size nor eTag, as on AWS.
    """
    origin = Origin(seed, at, region, account)
    owner = f"A{origin.letters(13, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789')}"
    is_removal = event_name.startswith("ObjectRemoved:")
    records = []
    for key in keys or ("my-key",):
        stored = {} if is_removal else {"size": size, "eTag": etag or origin.hexadecimal(32)}
        version = {} if version_id is None else {"versionId": version_id}
        # Later events of a key have greater sequencers.
        order = f"{origin.milliseconds:014X}{origin.hexadecimal(4).upper()}"
        records.append(
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": region,
                "eventTime": origin.stamp(),
                "eventName": event_name,
                "userIdentity": {"principalId": f"AWS:{owner}"},
                "requestParameters": {"sourceIPAddress": source_ip},
                "responseElements": {
                    "x-amz-request-id": origin.hexadecimal(16).upper(),
                    "x-amz-id-2": origin.token(57),
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": configuration_id,
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": owner},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        **stored,
                        **version,
                        "sequencer": order,
                    },
                },
            }
        )
    return {"Records": records}
