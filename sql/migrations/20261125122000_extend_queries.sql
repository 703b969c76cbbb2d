-- What queries are answered with: events, where rollups do not suffice, and what functions hand to one another meanwhile.

set role tally_owner;

grant select on public.metric_events, public.workspaces, app.retention to tally_query;
alter policy metric_events_select on public.metric_events to authenticated, tally_ingest, tally_query;
alter policy workspaces_select on public.workspaces to authenticated, tally_query;
alter policy retention_select on app.retention to tally_ingest, tally_query;

-- The questions come as one document.
drop function if exists api.query_metrics(text, text[], text[], text, text, text, text, boolean);
drop function if exists
  app.metric_series(uuid, text[], uuid[], timestamptz, timestamptz, text, timestamp, interval, text, boolean);
drop function if exists app.aggregate(text, numeric, numeric, numeric, numeric);

create type app.question as (
  number integer,
  label text,
  metrics text[],
  stores uuid[],
  granularity text,
  week_start integer,
  timezone text,
  currency text,
  group_by text[],
  filter jsonpath,
  filter_dimensions text[],
  fill text,
  is_cumulative boolean,
  has_totals boolean,
  is_compared boolean,
  top_n integer,
  has_other boolean,
  ranked_by text,
  ordered_by text,
  ordered_dimension text,
  is_descending boolean,
  page_size bigint,
  page_after jsonb
);
comment on type app.question is
  'A query as it is answered, see app.read_question; its label is what a message about it begins with';

create type app.question_range as (
  question integer,
  range integer,
  starts_at timestamptz,
  ends_at timestamptz,
  has_whole_days boolean,
  is_uneven boolean,
  starts timestamptz[],
  labels text[],
  places integer[],
  repeats integer[]
);
comment on type app.question_range is
  'The range of a query (0) or the one that it is compared with (1), and its buckets, see app.question_range';

create type app.question_metric as (
  question integer,
  position integer,
  key text,
  unit text,
  method text,
  program text[],
  parts integer[],
  empty_parts numeric[],
  is_mixed boolean
);
comment on type app.question_metric is 'A metric of a query, and the parts that it is made of, see app.question_metrics';

create type app.question_part as (
  question integer,
  number integer,
  key text,
  method text,
  is_money boolean,
  dimensions text[],
  distinct_dimension text,
  fraction numeric,
  is_from_events boolean
);
comment on type app.question_part is 'A metric with events that metrics of a query are made of, see app.question_parts';

create type app.factor as (
  question integer,
  currency text,
  day date,
  factor numeric
);
comment on type app.factor is 'By what money of a currency and a day is to be multiplied to be in the currency that a query asks for';

create type app.atom as (
  question integer,
  range integer,
  part integer,
  currency text,
  day date,
  group_key jsonb,
  bucket integer,
  level_key jsonb,
  count numeric,
  sum numeric,
  min numeric,
  max numeric,
  latest numeric[]
);
comment on type app.atom is
  'What a part has in a bucket: of money that is to be converted for each day; of levels for each store and combination of dimensions the time and the value of the last';

create type app.amount as (
  question integer,
  range integer,
  part integer,
  currency text,
  group_key jsonb,
  bucket integer,
  count numeric,
  sum numeric,
  min numeric,
  max numeric,
  missing_rate text
);
comment on type app.amount is
  'What a part has in a bucket, counted from 1, or in the whole range (0); of levels, different values and percentiles the value is the sum';

create type app.question_group as (
  question integer,
  group_key jsonb,
  rank bigint,
  next_after jsonb
);
comment on type app.question_group is
  'A group that is answered and its place; the rest of all, which is the group null, comes last. next_after is where the next page begins, if this group is the last of one';

create type app.series as (
  question integer,
  metric integer,
  group_key jsonb,
  currency text,
  is_void boolean
);
comment on type app.series is 'A series of an answer; void where its values cannot be told apart by currency';

create type app.cell as (
  question integer,
  range integer,
  metric integer,
  group_key jsonb,
  currency text,
  bucket integer,
  value numeric
);
comment on type app.cell is 'The value of a series in a bucket that has events, see app.amount';

reset role;
