"""A report that streams, row by row, on a managed Python whose own client cannot stream.

`wrapper` puts this runtime in its place.
"""

import csv
import io

from lambda_runtime import HttpResponse

CSV = {"content-type": "text/csv; charset=utf-8"}


def handler(event, context):
    rows = int(event.get("queryStringParameters", {}).get("rows", "3"))
    yield HttpResponse(200, CSV)
    yield line("order", "total")
    for number in range(rows):
        yield line(number, f"{number * 9.95:.2f}")


def line(*values):
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()
