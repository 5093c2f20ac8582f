"""The function that every benchmark invokes."""


def handler(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    return event
