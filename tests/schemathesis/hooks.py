"""What schemathesis cannot make of the document by itself: bodies that come as far as the database, lines of JSON, and
headers that come as far as the functions."""

import json
import os

import schemathesis
from hypothesis import strategies as st

STORE_ID = os.environ["TALLY_STORE_ID"]
METRICS = ["revenue", "orders", "inventory_level", "aov"]

text = st.text(max_size=20) | st.text("\0\x1f\x7f\u0085\u2028\ufffe\"\\é ", max_size=4)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def seldom(odd, usual):
    """What is odd once in ten times."""
    return st.sampled_from([odd] + [usual] * 9).flatmap(lambda chosen: chosen)


def one_of(*good):
    """One of these values, or now and then anything else."""
    return seldom(anything, st.sampled_from(good))


def all_of(required, optional=None):
    """An object of these fields, and now and then one more."""
    known = st.fixed_dictionaries(required, optional=optional)
    name = text | st.sampled_from(["", "a\0b", "__proto__", "colour"])
    more = seldom(st.dictionaries(name, anything, min_size=1, max_size=1), st.just({}))
    return st.tuples(known, more).map(lambda drawn: drawn[1] | drawn[0])


ids = one_of(*(f"order-{number}" for number in range(20)))
times = one_of("2026-10-05T10:00:00Z", "2026-10-05T12:00:00.123456+02:00", "1999-12-31T23:59:59Z")
dimensions = one_of({"channel": "web"}, {"location": "Hamburg", "big": True}, None)
events = all_of(
    {
        "id": ids,
        "metric": one_of(*METRICS),
        "store_id": one_of(STORE_ID),
        "value": one_of("129.90", 1, -5, 1e-7),
        "recorded_at": times,
    },
    {"currency": one_of("USD", "EUR", None), "source": one_of("shopify", None), "dimensions": dimensions},
)
starts, ends = one_of("1999-12-31", "2026-10-01"), one_of("2026-10-02T00:15", "2026-11-01T04:00:00Z")
queries = all_of(
    {"metrics": st.lists(st.sampled_from(METRICS), min_size=1, unique=True), "from": starts, "to": ends},
    {
        "stores": one_of([STORE_ID], None),
        "granularity": one_of("none", "day", "week", "month", "quarter", "year"),
        "timezone": one_of("UTC", "America/New_York", "Asia/Kathmandu"),
        "totals": one_of(True, False),
    },
)
names = all_of(
    {"id": ids, "store_id": one_of(STORE_ID)},
    {"source": one_of("shopify", None), "recorded_at": times},
)
filters = all_of(
    {},
    {"code": one_of("unknown_metric"), "store_id": st.just(STORE_ID), "metric": one_of("x"), "id": text, "from": times},
)
days = one_of("2026-10-02", "2026-10-05", "1970-01-01")
codes, rates = st.sampled_from(["USD", "GBP", "JPY"]), one_of("1.1712", 0.8713, 1e-7)
uploads = all_of(
    {"day": days, "rates": st.dictionaries(codes, rates, min_size=1)},
    {"through": one_of("2026-10-05", "2026-10-06", None)},
)
BODIES = {
    "PUT /v1/exchange-rates": st.lists(uploads, min_size=1, max_size=2).map(lambda uploads: {"rates": uploads}),
    "POST /v1/events": st.lists(events, min_size=1, max_size=8).map(lambda events: {"events": events}),
    "POST /v1/events/delete": st.lists(names, min_size=1, max_size=8).map(lambda names: {"events": names}),
    "POST /v1/events/quarantine/replay": filters.map(lambda drawn: {"filter": drawn}),
    "POST /v1/events/quarantine/discard": filters.map(lambda drawn: {"filter": drawn}),
    "POST /v1/query": queries,
}

lines = st.lists(events.map(lambda event: json.dumps(event).encode()) | st.binary(max_size=30), max_size=8)
LINES = ["application/x-ndjson", "application/ndjson", "application/jsonl"]
schemathesis.openapi.media_type(LINES[0], lines.map(b"\r\n".join), aliases=LINES[1:])


@schemathesis.serializer(*LINES)
def serialize_lines(_context, value):
    """A body of lines as it is, and a body that is none as one line."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.hook
def before_generate_body(context, strategy):
    """Every other body is of this file, where the document's alone would seldom be of a store that is there."""
    known = BODIES.get(context.operation.label)
    return strategy if known is None else strategy | known


def cloud_event(event):
    """An event in the words of CloudEvents; what these have no word for is an extension."""
    names = {"metric": "type", "store_id": "subject", "recorded_at": "time"}
    data = {name: event[name] for name in ("value", "currency", "dimensions") if name in event}
    context = {names.get(name, name): value for name, value in event.items() if name not in data}
    return {"specversion": "1.0", "source": "shopify", "data": data} | context


def written(events, media_type):
    """Events as the media type has them."""
    if media_type in LINES:
        return b"\n".join(json.dumps(event).encode() for event in events)
    if media_type == "application/cloudevents+json":
        return cloud_event(events[0])
    if media_type == "application/cloudevents-batch+json":
        return [cloud_event(event) for event in events]
    return {"events": events}


@schemathesis.hook
def map_case(_context, case):
    """Changes what would not come as far as it should."""
    headers = case.headers if case.headers is not None else {}
    if case.operation.label == "POST /v1/events" and isinstance(case.body, dict) and case.body.get("events"):
        events = case.body["events"]
        if isinstance(events, list) and all(isinstance(event, dict) for event in events):
            case.body = written(events, case.media_type)
            # With it the body would be the data of a single event.
            headers.pop("ce-specversion", None)
    for name, value in list(headers.items()):
        if name.lower() == "content-encoding" and value in ("gzip", "x-gzip", "zstd"):
            # Nothing here compresses; what is compressed is for fuzz/ and the other tests.
            headers[name] = "identity"
        elif isinstance(value, str) and not value.isascii():
            # The platform sees no request in it, and answers a 500 that no function has a part in.
            headers[name] = value.encode("ascii", "replace").decode()
    return case
