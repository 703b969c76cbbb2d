"""Works the golden answers out of cdnow_sample.txt, once: `python3 make.py`. Nothing but the standard library."""

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
ZONE = "America/New_York"
FIRST, END = date(1997, 1, 1), date(1998, 7, 1)


class Purchase:
    def __init__(self, line):
        customer, _, day, disks, dollars = line.split()
        self.customer, self.disks, self.dollars = customer, int(disks), Decimal(dollars)
        self.day = datetime.strptime(day, "%Y%m%d").date()


PURCHASES = [Purchase(line) for line in (HERE.parent / "cdnow_sample.txt").read_text().splitlines()]


def rounded(number, places=12):
    with localcontext() as context:
        context.prec = 60
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def quotient(one, other):
    with localcontext() as context:
        context.prec = 60
        return None if other == 0 else rounded(Decimal(one) / Decimal(other))


def least(share, values):
    values = sorted(values)
    rank = -(-len(values) * share // 100)
    return values[rank - 1] if values else None


METRICS = {
    "revenue": ("currency", "USD", lambda some: sum((p.dollars for p in some), Decimal(0))),
    "orders": ("count", None, len),
    "units_sold": ("count", None, lambda some: sum(p.disks for p in some)),
    "aov": ("currency", "USD", lambda some: quotient(sum(p.dollars for p in some), len(some))),
    "customers": ("count", None, lambda some: len({p.customer for p in some})),
    "median_order": ("currency", "USD", lambda some: least(50, [p.dollars for p in some])),
    "order_p95": ("currency", "USD", lambda some: least(95, [p.dollars for p in some])),
    "per_customer": ("currency", "USD", lambda some: quotient(sum(p.dollars for p in some), len({p.customer for p in some}))),
}


def begins(granularity, day):
    if granularity == "none":
        return FIRST
    if granularity == "week":
        return day - timedelta(days=day.weekday())
    if granularity == "month":
        return day.replace(day=1)
    if granularity == "quarter":
        return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return day


def buckets(granularity, start, end):
    found = []
    for number in range((end - start).days):
        day = start + timedelta(days=number)
        begin = max(begins(granularity, day), start)
        if not found or found[-1][0] != begin:
            found.append((begin, []))
        found[-1][1].append(day)
    return found


def text(value):
    return None if value is None else str(value)


def start_of(day):
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)).isoformat()


def values(metric, some, granularity, start, end, cumulative=False):
    by_day = defaultdict(list)
    for purchase in some:
        by_day[purchase.day].append(purchase)
    found, before = [], []
    for begin, days in buckets(granularity, start, end):
        within = [purchase for day in days for purchase in by_day[day]]
        before += within
        found.append((begin, METRICS[metric][2](before if cumulative else within)))
    return found, METRICS[metric][2](before)


def change(value, other):
    difference = None if value is None or other is None else value - other
    ratio = None if difference is None else quotient(difference, abs(other))
    if ratio is not None:
        ratio = format(ratio.normalize(), "f")
    return {"difference": text(difference), "change": ratio}


def series(question, metric, some, group):
    granularity = question.get("granularity", "day")
    start, end = date.fromisoformat(question["from"]), date.fromisoformat(question["to"])
    points, total = values(metric, some, granularity, start, end, question.get("cumulative", False))
    unit, currency, _ = METRICS[metric]
    answer = {"metric": metric, "unit": unit, "currency": currency, "group": group}
    answer["points"] = [{"start": start_of(day), "value": text(value)} for day, value in points]
    if question.get("totals") or "compare" in question:
        answer["total"] = text(total)
    if question.get("compare") == "previous_year":
        others, other = values(metric, some, granularity, *(day.replace(year=day.year - 1) for day in (start, end)))
        answer["comparison"] = {
            "points": [
                {"index": index, "start": start_of(day), "value": text(value), **change(now, value)}
                for index, ((day, value), (_, now)) in enumerate(zip(others, points, strict=True))
            ],
            "total": text(other),
            **change(total, other),
        }
    return answer


def groups(question, some):
    """The purchases of each group: none, or by customer or disks; the greatest five and the rest, or by their total."""
    names = question.get("group_by", [])
    if not names:
        return [({}, some)]
    [name] = names
    by_value = defaultdict(list)
    for purchase in some:
        by_value[getattr(purchase, name)].append(purchase)
    measure = METRICS[question["metrics"][0]][2]
    if "top" not in question and "order_by" not in question:
        return [({name: value}, by_value[value]) for value in sorted(by_value)]
    ranked = sorted(by_value, key=lambda value: (-measure(by_value[value]), value))
    if "top" not in question:
        return [({name: value}, by_value[value]) for value in ranked]
    n = question["top"]["n"]
    rest = [purchase for value in ranked[n:] for purchase in by_value[value]]
    return [({name: value}, by_value[value]) for value in ranked[:n]] + [(None, rest)]


def answer(question):
    start, end = date.fromisoformat(question["from"]), date.fromisoformat(question["to"])
    within = [p for p in PURCHASES if start <= p.day < end or "compare" in question]
    found = []
    for metric in question["metrics"]:
        for group, some in groups(question, within):
            one = series(question, metric, some, group or {})
            found.append(one if group is not None else {**one, "other": True})
    return found


RANGE = {"from": str(FIRST), "to": str(END), "timezone": ZONE}
YEAR = {"from": "1997-01-01", "to": "1998-01-01", "timezone": ZONE}
QUESTIONS = {
    "months": {"metrics": ["revenue", "orders", "aov"], "granularity": "month", "totals": True, **RANGE},
    "weeks": {"metrics": ["revenue", "units_sold"], "granularity": "week", "totals": True, **RANGE},
    "first_quarter_days": {"metrics": ["orders"], "from": "1997-01-01", "to": "1997-04-01", "timezone": ZONE},
    "quarters_a_year_later": {
        "metrics": ["revenue", "orders", "aov"],
        "granularity": "quarter",
        "from": "1998-01-01",
        "to": "1998-07-01",
        "timezone": ZONE,
        "compare": "previous_year",
    },
    "growth": {"metrics": ["revenue", "orders"], "granularity": "month", "cumulative": True, **RANGE},
    "customers": {"metrics": ["customers", "per_customer"], "granularity": "quarter", "totals": True, **YEAR},
    "baskets": {"metrics": ["median_order", "order_p95"], "granularity": "month", "totals": True, **YEAR},
    "best_customers": {
        "metrics": ["revenue", "orders"],
        "granularity": "none",
        "group_by": ["customer"],
        "top": {"n": 5, "by": "revenue", "other": True},
        **YEAR,
    },
    "by_disks": {
        "metrics": ["orders", "aov"],
        "granularity": "none",
        "group_by": ["disks"],
        "order_by": {"metric": "orders", "direction": "desc"},
        **YEAR,
    },
}

for name, question in QUESTIONS.items():
    golden = {"question": question, "series": answer(question)}
    (HERE / f"{name}.json").write_text(json.dumps(golden, indent=1) + "\n")
