"""Says which Python it runs on: with a custom runtime that is yours to choose."""

import platform


def handler(event, context):
    return {
        "greeting": f"Hello, {event.get('name', 'world')}!",
        "python": platform.python_version(),
    }
