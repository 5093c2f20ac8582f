"""SNS, S3 and EventBridge push at functions: boto3, one endpoint, an embedded AWS behind it."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rapid_mock import LocalLambda, events
from rapid_mock.service.push_triggers import PushTrigger
from tests.support.command_line import write_code
from tests.support.embedded_aws import EmbeddedAws
from tests.support.lambda_api import ARN
from tests.support.peers import REPOSITORY
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(120)
HANDLER = (
    "import json, pathlib\n"
    "def handler(event, context):\n"
    "    text = json.dumps(event)\n"
    "    with pathlib.Path({seen!r}).open('a') as lines:\n"
    "        lines.write(text + '\\n')\n"
)
FUNCTION = f"{ARN}f"


class World:
    """A local Lambda with its embedded AWS, and the events that its function `f` has seen."""

    def __init__(self, local: LocalLambda, seen: Path) -> None:
        self.local = local
        self._seen = seen
        self._read = 0
        self.clients = {name: local.client(name) for name in ("sns", "s3", "events", "sqs")}

    def __getattr__(self, name: str) -> Any:
        return self.clients[name]

    def event(self) -> Any:
        """The next event that the function has not yet shown."""
        eventually(lambda: len(self._lines()) > self._read, "an event")
        self._read += 1
        return json.loads(self._lines()[self._read - 1])

    def _lines(self) -> list[str]:
        return self._seen.read_text().splitlines() if self._seen.exists() else []


@pytest.fixture(scope="module")
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, log: io.BytesIO) -> Iterator[World]:
    place = tmp_path_factory.mktemp("push")
    code = write_code(place, HANDLER.format(seen=str(place / "seen")))
    with LocalLambda(aws="embedded", log_stream=log, time_scale=600) as local:
        local.create_function("f", handler="app.handler", code=code)
        made = World(local, place / "seen")
        yield made
        for client in made.clients.values():
            client.close()


def shape(value: Any) -> Any:
    """The members of a JSON value, and their order; the texts themselves left out."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


# --- SNS ------------------------------------------------------------------------------------


@pytest.fixture
def topic(world: World) -> Iterator[str]:
    arn: str = world.sns.create_topic(Name="orders")["TopicArn"]
    yield arn
    world.sns.delete_topic(TopicArn=arn)


def test_a_subscribed_function_gets_what_is_published(world: World, topic: str) -> None:
    """As SNS invokes: one record, its names as functions get them, the subscription's ARN in it."""
    subscription = world.sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    told = world.sns.publish(
        TopicArn=topic,
        Message="hello",
        Subject="greeting",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "new"}},
    )
    (record,) = world.event()["Records"]
    (made,) = events.sns("hello", subject="greeting", attributes={"kind": "new"})["Records"]
    assert shape(record) == shape(made)
    assert record["EventSubscriptionArn"] == subscription
    assert record["Sns"]["UnsubscribeUrl"].endswith(f"&SubscriptionArn={subscription}")
    assert record["Sns"]["MessageId"] == told["MessageId"]
    assert record["Sns"]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "new"}}


def test_a_subscription_is_shown_as_it_was_made(world: World, topic: str) -> None:
    """In lists and attributes the subscriber is the function; the queue behind it is nowhere."""
    subscription = world.sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    shown = {
        "SubscriptionArn": subscription,
        "Owner": "123456789012",
        "Protocol": "lambda",
        "Endpoint": FUNCTION,
        "TopicArn": topic,
    }
    assert world.sns.list_subscriptions()["Subscriptions"] == [shown]
    assert world.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [shown]
    attributes = world.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (attributes["Protocol"], attributes["Endpoint"]) == ("lambda", FUNCTION)
    assert world.sqs.list_queues().get("QueueUrls") is None


def test_a_filter_policy_keeps_messages_away(world: World, topic: str) -> None:
    """Only what fits reaches the function."""
    world.sns.subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=FUNCTION,
        Attributes={"FilterPolicy": json.dumps({"kind": ["new"]})},
    )
    for kind in ("old", "new"):
        attribute = {"DataType": "String", "StringValue": kind}
        world.sns.publish(TopicArn=topic, Message=kind, MessageAttributes={"kind": attribute})
    assert world.event()["Records"][0]["Sns"]["Message"] == "new"


def test_a_filter_policy_follows_its_scope(world: World, topic: str) -> None:
    """The scope may be set after the policy: messages are judged by their bodies from then on."""
    made = world.sns.subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=FUNCTION,
        Attributes={"FilterPolicy": json.dumps({"kind": ["<new> & good"]})},
        ReturnSubscriptionArn=True,
    )
    world.sns.set_subscription_attributes(
        SubscriptionArn=made["SubscriptionArn"],
        AttributeName="FilterPolicyScope",
        AttributeValue="MessageBody",
    )
    for kind in ("old", "<new> & good"):
        world.sns.publish(TopicArn=topic, Message=json.dumps({"kind": kind}))
    message = world.event()["Records"][0]["Sns"]["Message"]
    assert json.loads(message) == {"kind": "<new> & good"}


def test_a_function_cannot_subscribe_to_a_fifo_topic(world: World) -> None:
    """SNS delivers those to queues alone: refused, with the way to do it."""
    fifo = world.sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    with pytest.raises(ClientError, match="by an event source mapping of a queue") as refused:
        world.sns.subscribe(TopicArn=fifo, Protocol="lambda", Endpoint=FUNCTION)
    assert refused.value.response["Error"]["Code"] == "InvalidParameter"
    world.sns.delete_topic(TopicArn=fifo)


def test_a_function_cannot_have_messages_raw(world: World, topic: str) -> None:
    """Raw delivery is for queues and HTTP: refused as SNS refuses it, and nothing subscribes."""
    with pytest.raises(ClientError) as refused:
        world.sns.subscribe(
            TopicArn=topic,
            Protocol="lambda",
            Endpoint=FUNCTION,
            Attributes={"RawMessageDelivery": "true"},
        )
    assert refused.value.response["Error"] == {
        "Type": "Sender",
        "Code": "InvalidParameter",
        "Message": "Invalid parameter: Attributes Reason: Delivery protocol [lambda] does not "
        "support raw message delivery.",
    }
    assert world.sns.list_subscriptions()["Subscriptions"] == []


def test_nothing_comes_after_the_end_of_a_subscription(world: World, topic: str) -> None:
    """Two subscribe, one leaves: the other goes on."""
    other = world.sns.create_topic(Name="others")["TopicArn"]
    for arn in (topic, other):
        made = world.sns.subscribe(
            TopicArn=arn, Protocol="lambda", Endpoint=FUNCTION, ReturnSubscriptionArn=True
        )
    world.sns.unsubscribe(SubscriptionArn=made["SubscriptionArn"])
    world.sns.publish(TopicArn=other, Message="nobody hears")
    world.sns.publish(TopicArn=topic, Message="heard")
    world.sns.delete_topic(TopicArn=other)
    assert world.event()["Records"][0]["Sns"]["Message"] == "heard"


def test_a_subscriber_that_is_not_there_is_named(world: World, topic: str, log: io.BytesIO) -> None:
    """Its messages wait, with one sentence that says for whom, however many there are."""
    missing = f"{ARN}missing"
    world.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=missing)
    for text in "xy":
        world.sns.publish(TopicArn=topic, Message=text)
    sentence = (
        f"rapid-mock: the events of {topic} wait for {missing}: Function not found: {missing}"
    )
    eventually(lambda: sentence.encode() in log.getvalue(), "the sentence")
    await_taken(world, PushTrigger("sns", topic, missing, missing).queue_name)
    assert log.getvalue().count(sentence.encode()) == 1


# --- S3 -------------------------------------------------------------------------------------


@pytest.fixture
def bucket(world: World) -> Iterator[str]:
    world.s3.create_bucket(Bucket="uploads")
    yield "uploads"
    for found in world.s3.list_objects_v2(Bucket="uploads").get("Contents", []):
        world.s3.delete_object(Bucket="uploads", Key=found["Key"])
    world.s3.delete_bucket(Bucket="uploads")


def notify(world: World, bucket: str, *configurations: dict[str, Any]) -> None:
    world.s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"LambdaFunctionConfigurations": list(configurations)},
    )


def configuration(*kinds: str, arn: str = FUNCTION, **of: Any) -> dict[str, Any]:
    return {"Id": "mine", "LambdaFunctionArn": arn, "Events": list(kinds), **of}


def only(**rules: str) -> dict[str, Any]:
    return {"Key": {"FilterRules": [{"Name": k, "Value": v} for k, v in rules.items()]}}


def test_an_uploaded_object_invokes_the_function(world: World, bucket: str) -> None:
    """The event is complete, down to what the engine leaves out; keys are encoded as S3 does."""
    notify(world, bucket, configuration("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    world.s3.put_object(Bucket=bucket, Key="in/a b+ü.csv", Body=b"12345")
    (record,) = world.event()["Records"]
    (made,) = events.s3("in/a b+ü.csv", bucket=bucket, configuration_id="mine")["Records"]
    assert shape(record) == shape(made)
    assert record["s3"]["object"]["key"] == made["s3"]["object"]["key"] == "in/a+b%2B%C3%BC.csv"
    assert (record["eventName"], record["s3"]["object"]["size"]) == ("ObjectCreated:Put", 5)
    world.s3.delete_object(Bucket=bucket, Key="in/a b+ü.csv")
    (removed,) = world.event()["Records"]
    (made,) = events.s3("x", event_name="ObjectRemoved:Delete")["Records"]
    assert shape(removed) == shape(made)


def test_an_upload_in_parts_is_told_once(world: World, bucket: str) -> None:
    """By its end, and not by a Put beside it, as the engine alone would."""
    notify(world, bucket, configuration("s3:ObjectCreated:*"))
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = world.s3.create_multipart_upload(**upload)["UploadId"]
    part = world.s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    world.s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    world.s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/parts")
    told = [world.event()["Records"][0]["eventName"] for _ in range(2)]
    assert told == ["ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Copy"]


def test_only_keys_that_fit_the_filter_are_told(world: World, bucket: str) -> None:
    """Prefix and suffix, a name of XML's among them, are the engine's to judge."""
    wanted = only(prefix="ns0:in/", suffix=".csv")
    notify(world, bucket, configuration("s3:ObjectCreated:*", Filter=wanted))
    for key in ("out/a.csv", "ns0:in/a.txt", "ns0:in/a.csv"):
        world.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert world.event()["Records"][0]["s3"]["object"]["key"] == "ns0%3Ain/a.csv"


def test_rules_of_a_filter_may_be_named_in_capitals(world: World, bucket: str) -> None:
    """As S3 itself shows them."""
    wanted = only(Prefix="in/", Suffix=".csv")
    notify(world, bucket, configuration("s3:ObjectCreated:*", Filter=wanted))
    for key in ("out/a.csv", "in/a.csv"):
        world.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert world.event()["Records"][0]["s3"]["object"]["key"] == "in/a.csv"


CREATED, PUT, REMOVED = "s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*"


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ((CREATED, {}), (PUT, {}), "Configurations overlap. "),
        ((CREATED, {}), (CREATED, {"prefix": "in/"}), "Configuration is ambiguously defined. "),
        ((PUT, {"suffix": ".csv"}), (PUT, {"prefix": "a"}), "Configuration is ambiguously defined"),
        ((CREATED, {}), (REMOVED, {}), None),
        ((PUT, {"prefix": "in/"}), (PUT, {"prefix": "out/"}), None),
        ((PUT, {"prefix": "in/", "suffix": "a"}), (PUT, {"prefix": "in", "suffix": "b"}), None),
    ],
)
def test_notifications_that_overlap_are_refused(
    world: World, bucket: str, one: Any, other: Any, message: str | None
) -> None:
    """Two may not tell of the same event of the same key."""
    both = [
        {**configuration(kind), **({"Filter": only(**rules)} if rules else {}), "Id": str(number)}
        for number, (kind, rules) in enumerate((one, other))
    ]
    if message is None:
        notify(world, bucket, *both)
        return
    with pytest.raises(ClientError) as refused:
        notify(world, bucket, *both)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidArgument"
    assert error["Message"].startswith(message)


def test_a_notification_is_shown_as_it_was_put(world: World, bucket: str) -> None:
    """Functions beside a queue of the user's own; what is put next replaces all of it."""
    url = world.sqs.create_queue(QueueName="mine")["QueueUrl"]
    put = {
        "LambdaFunctionConfigurations": [
            configuration("s3:ObjectCreated:*", Filter=only(prefix="in/"))
        ],
        "QueueConfigurations": [
            {
                "Id": "queue",
                "QueueArn": "arn:aws:sqs:us-east-1:123456789012:mine",
                "Events": ["s3:ObjectRemoved:*"],
            }
        ],
    }
    world.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=put)
    shown = world.s3.get_bucket_notification_configuration(Bucket=bucket)
    del shown["ResponseMetadata"]
    assert shown == put
    assert world.sqs.list_queues()["QueueUrls"] == [url]
    notify(world, bucket)
    shown = world.s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "LambdaFunctionConfigurations" not in shown
    world.sqs.delete_queue(QueueUrl=url)


def test_a_function_that_is_not_there_cannot_be_notified(world: World, bucket: str) -> None:
    """S3 refuses the configuration, and what was configured stays."""
    notify(world, bucket, configuration("s3:ObjectCreated:*"))
    with pytest.raises(ClientError, match="Unable to validate the following destination"):
        notify(world, bucket, configuration("s3:ObjectCreated:*", arn=f"{ARN}missing"))
    world.s3.put_object(Bucket=bucket, Key="still", Body=b"")
    assert world.event()["Records"][0]["s3"]["object"]["key"] == "still"


def test_what_the_engine_never_sends_is_named(world: World, bucket: str, log: io.BytesIO) -> None:
    """A notification of such an event is put, with a sentence that says it will not come."""
    notify(world, bucket, configuration("s3:ObjectCreated:*", "s3:LifecycleExpiration:Delete"))
    sentence = b"rapid-mock: the embedded AWS never sends s3:LifecycleExpiration:Delete: "
    eventually(lambda: sentence in log.getvalue(), "the sentence")


# --- Services that push nothing here --------------------------------------------------------

ROLE_OF = {"RoleArn": "arn:aws:iam::123456789012:role/any"}
SCHEDULED = {
    "Name": "s",
    "ScheduleExpression": "rate(1 minute)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": FUNCTION, **ROLE_OF},
}
PIPED = {"Name": "p", "Source": "arn:aws:sqs:us-east-1:123456789012:q", "Target": FUNCTION}
LOGGED = {"logGroupName": "/g", "filterName": "f", "filterPattern": "", "destinationArn": FUNCTION}
STACK = '{"Resources": {"F": {"Type": "AWS::Lambda::Function"}}}'


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "told"),
    [
        ("scheduler", "create_schedule", SCHEDULED, f"{FUNCTION} is named to it"),
        ("pipes", "create_pipe", {**PIPED, **ROLE_OF}, "Make an event source mapping"),
        ("logs", "put_subscription_filter", LOGGED, f"{FUNCTION} is named to it"),
        (
            "cloudformation",
            "validate_template",
            {"TemplateBody": STACK},
            "Give the template to --config",
        ),
    ],
)
def test_who_invokes_nothing_here_is_named(
    world: World, log: io.BytesIO, service: str, operation: str, arguments: Any, told: str
) -> None:
    """Whatever the engine answers, the developer hears that nothing will come of it."""
    with closing(world.local.client(service)) as client, suppress(ClientError):
        getattr(client, operation)(**arguments)
    [line] = [each for each in log.getvalue().decode().splitlines() if f": {service} inv" in each]
    assert told in line


def test_data_that_names_a_function_is_no_news(world: World, log: io.BytesIO) -> None:
    """Log events may have anything in them."""
    before = log.getvalue().count(b": logs invokes")
    with closing(world.local.client("logs")) as logs:
        logs.create_log_group(logGroupName="/data")
        logs.create_log_stream(logGroupName="/data", logStreamName="s")
        event = {"timestamp": time.time_ns() // 1_000_000, "message": f"{FUNCTION} of the data"}
        logs.put_log_events(logGroupName="/data", logStreamName="s", logEvents=[event])
    assert log.getvalue().count(b": logs invokes") == before


# --- EventBridge ----------------------------------------------------------------------------


@pytest.fixture
def rule(world: World) -> Iterator[str]:
    world.events.put_rule(Name="r", EventPattern=json.dumps({"source": ["shop"]}))
    yield "r"
    targets = world.events.list_targets_by_rule(Rule="r")["Targets"]
    if targets:
        world.events.remove_targets(Rule="r", Ids=[target["Id"] for target in targets])
    world.events.delete_rule(Name="r")


def put_event(world: World, source: str = "shop", **detail: Any) -> str:
    told = world.events.put_events(
        Entries=[
            {
                "Source": source,
                "DetailType": "Order Placed",
                "Detail": json.dumps(detail),
                "Resources": ["arn:aws:s3:::orders"],
            }
        ]
    )
    assert told["FailedEntryCount"] == 0
    event_id: str = told["Entries"][0]["EventId"]
    return event_id


def await_empty(world: World, queue: str) -> None:
    """Wait until everything in the queue of a trigger has been handled."""
    url = world.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        found = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [found[name] for name in names] == ["0", "0"]

    eventually(is_empty, "an empty queue")


def await_taken(world: World, queue: str) -> None:
    """Wait until every message in the queue of a trigger was received."""
    url = world.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    name = "ApproximateNumberOfMessages"

    def is_taken() -> bool:
        found = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
        return bool(found[name] == "0")

    eventually(is_taken, "an empty queue")


def test_a_rule_hands_its_function_the_events_that_fit(world: World, rule: str) -> None:
    """The event is complete and in EventBridge's order; what does not fit does not come."""
    world.events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": FUNCTION}])
    put_event(world, "elsewhere", n=1)
    event_id = put_event(world, n=2)
    event = world.event()
    made = events.eventbridge({"n": 2}, resources=["arn:aws:s3:::orders"])
    assert list(event) == list(made)
    assert shape(event) == shape(made)
    assert (event["id"], event["account"], event["detail"]) == (event_id, "123456789012", {"n": 2})


def test_targets_get_what_they_asked_for_and_are_shown_as_put(world: World, rule: str) -> None:
    """A constant, a part, a template; a queue and a topic of the user's own beside a function."""
    url = world.sqs.create_queue(QueueName="audit")["QueueUrl"]
    topic = world.sns.create_topic(Name="told")["TopicArn"]
    world.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION)
    template = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"count": <n>}'}
    targets = [
        {"Id": "part", "Arn": FUNCTION, "InputPath": "$.detail"},
        {"Id": "queue", "Arn": "arn:aws:sqs:us-east-1:123456789012:audit", "Input": '{"a": 1}'},
        {"Id": "topic", "Arn": topic, "InputTransformer": template},
    ]
    world.events.put_targets(Rule=rule, Targets=targets)
    assert world.events.list_targets_by_rule(Rule=rule)["Targets"] == targets
    assert world.events.list_rule_names_by_target(TargetArn=FUNCTION)["RuleNames"] == [rule]
    put_event(world, n=7)
    seen = [world.event(), world.event()]
    assert {"n": 7} in seen
    notified = next(event for event in seen if "Records" in event)
    assert notified["Records"][0]["Sns"]["Message"] == '{"count": 7}'
    (message,) = world.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == '{"a": 1}'
    world.sns.delete_topic(TopicArn=topic)
    world.sqs.delete_queue(QueueUrl=url)


def test_a_disabled_rule_lets_nothing_through(world: World, rule: str) -> None:
    """Until it is enabled again."""
    world.events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": FUNCTION}])
    put_event(world, n=1)
    assert world.event()["detail"] == {"n": 1}
    world.events.disable_rule(Name=rule)
    put_event(world, n=2)
    arn = f"arn:aws:events:us-east-1:123456789012:rule/{rule}"
    await_empty(world, PushTrigger("events", arn, "1", FUNCTION).queue_name)
    world.events.enable_rule(Name=rule)
    put_event(world, n=3)
    assert world.event()["detail"] == {"n": 3}


def test_a_target_that_nobody_delivers_to_is_refused(world: World, rule: str) -> None:
    """By name: the engine would answer every PutEvents with an error from then on."""
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:orders"
    with pytest.raises(ClientError, match=f"Parameter {arn} is not valid"):
        world.events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    put_event(world, n=1)


def test_a_schedule_fires_in_its_rhythm(world: World) -> None:
    """Each firing is an event of its instant, whole minutes apart; time passes 600 times faster."""
    world.events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")
    world.events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": FUNCTION}])
    put_event(world, n=1)  # nothing to a rule without a pattern
    fired = [world.event() for _ in range(4)]
    world.events.remove_targets(Rule="often", Ids=["1"])
    world.events.delete_rule(Name="often")
    assert [shape(event) for event in fired] == [shape(events.scheduled("often"))] * 4
    assert fired[0]["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/often"]
    instants = [int(time.mktime(time.strptime(e["time"], "%Y-%m-%dT%H:%M:%SZ"))) for e in fired]
    waits = [after - before for before, after in itertools.pairwise(instants)]
    assert all(wait > 0 and wait % 60 == 0 for wait in waits), waits


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "cron(0 0 * * * *)", "daily"])
def test_what_is_no_schedule_is_refused(world: World, expression: str) -> None:
    """In EventBridge's words, and without a rule."""
    with pytest.raises(
        ClientError, match=r"Parameter ScheduleExpression is not valid\."
    ) as refused:
        world.events.put_rule(Name="wrong", ScheduleExpression=expression)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert world.events.list_rules()["Rules"] == []


# --- Restarts and chains --------------------------------------------------------------------


def test_a_service_that_starts_again_goes_on(tmp_path: Path, aws: EmbeddedAws) -> None:
    """On an AWS that went on meanwhile: what was pushed in between arrives, schedules are known."""
    code = write_code(tmp_path, HANDLER.format(seen=str(tmp_path / "seen")))
    with LocalLambda(aws=aws.url, log_stream=io.BytesIO()) as local:
        local.create_function("f", handler="app.handler", code=code)
        with closing(local.client("sns")) as sns, closing(local.client("events")) as bus:
            topic = sns.create_topic(Name="restarts")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION)
            bus.put_rule(Name="restarts", ScheduleExpression="rate(1 minute)")
            bus.put_targets(
                Rule="restarts", Targets=[{"Id": "1", "Arn": FUNCTION, "Input": '"tick"'}]
            )
    with aws.client("sns") as sns:
        sns.publish(TopicArn=topic, Message="meanwhile")
    with LocalLambda(aws=aws.url, log_stream=io.BytesIO(), time_scale=600) as local:
        local.create_function("f", handler="app.handler", code=code)
        seen = tmp_path / "seen"
        eventually(lambda: seen.exists() and '"tick"' in seen.read_text(), "the schedule")
        eventually(lambda: "meanwhile" in seen.read_text(), "the message")
        with closing(local.client("sns")) as sns, closing(local.client("events")) as bus:
            sns.delete_topic(TopicArn=topic)
            bus.remove_targets(Rule="restarts", Ids=["1"])
            bus.delete_rule(Name="restarts")
    with aws.client("sqs") as sqs:
        assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="rapid-mock-trigger-")


def test_an_upload_goes_through_topic_and_queue_to_the_function(aws: EmbeddedAws) -> None:
    """The example: bucket, topic, queue and mapping as its template has them; and back to S3."""
    with LocalLambda(aws=aws.url, log_stream=io.BytesIO()) as local:
        code = REPOSITORY / "examples" / "upload_chain"
        local.create_function("summary", handler="app.handler", code=code, timeout=30)
        names = ("s3", "sns", "sqs", "lambda")
        with ExitStack() as stack:
            s3, sns, sqs, functions = (
                stack.enter_context(closing(local.client(name))) for name in names
            )
            s3.create_bucket(Bucket="uploads")
            topic = sns.create_topic(Name="uploaded")["TopicArn"]
            sqs.create_queue(QueueName="arrivals", Attributes={"VisibilityTimeout": "180"})
            queue_arn = "arn:aws:sqs:us-east-1:123456789012:arrivals"
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
            functions.create_event_source_mapping(
                EventSourceArn=queue_arn,
                FunctionName="summary",
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )
            s3.put_bucket_notification_configuration(
                Bucket="uploads",
                NotificationConfiguration={
                    "TopicConfigurations": [
                        {
                            "TopicArn": topic,
                            "Events": ["s3:ObjectCreated:*"],
                            "Filter": only(prefix="in/", suffix=".csv"),
                        }
                    ]
                },
            )
            s3.put_object(Bucket="uploads", Key="in/spring orders.csv", Body=b"id,sum\n1,2\n3,4\n")
            summary = "summaries/in/spring orders.csv.json"

            def is_there() -> bool:
                return bool(s3.list_objects_v2(Bucket="uploads", Prefix=summary).get("Contents"))

            eventually(is_there, "the summary")
            body = s3.get_object(Bucket="uploads", Key=summary)["Body"].read()
    assert json.loads(body) == {
        "key": "in/spring orders.csv",
        "rows": 2,
        "columns": ["id", "sum"],
    }


def test_a_scheduled_job_reports_on_the_day_before(aws: EmbeddedAws) -> None:
    """The example: its event is the documented one, its report is published."""
    with LocalLambda(aws=aws.url, log_stream=io.BytesIO()) as local, ExitStack() as stack:
        s3, sns, sqs = (
            stack.enter_context(closing(local.client(name))) for name in ("s3", "sns", "sqs")
        )
        s3.create_bucket(Bucket="orders")
        s3.put_object(Bucket="orders", Key="orders/2026/01/01/a.json", Body=b"{}")
        topic = sns.create_topic(Name="reports")["TopicArn"]
        url = sqs.create_queue(QueueName="reports")["QueueUrl"]
        queue_arn = "arn:aws:sqs:us-east-1:123456789012:reports"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        example = REPOSITORY / "examples" / "scheduled_report"
        report = local.create_function(
            "report",
            handler="app.handler",
            code=example,
            timeout=30,
            environment={"BUCKET": "orders", "TOPIC_ARN": topic},
        )
        result = report.invoke((example / "event.json").read_bytes())
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert result.payload == {"day": "2026-01-01", "orders": 1}
    published = json.loads(message["Body"])
    assert published["Message"] == "Thursday, 01 January 2026: 1 orders, 2 bytes"
