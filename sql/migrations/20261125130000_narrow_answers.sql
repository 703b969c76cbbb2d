-- Answers take fewer steps: definitions are looked up for all queries at once, what has been added up in a bucket is not copied for
-- the next step, and the values of a series go by its number.

set role tally_owner;

-- Their places are taken by functions of the same or other names, which sql/functions makes anew, as it does those that go with a
-- type.
drop function if exists
  app.may_answer(bigint),
  app.evaluate(text[], numeric[]),
  app.read_question(jsonb, integer, text, uuid[]),
  app.question_meta(integer, app.question_range[], app.question_part[], text),
  app.question_metrics(app.question),
  app.question_parts(app.question, app.question_range[], text[]),
  app.derived_metric(integer, integer, text, text, text, text[], text[], text[]),
  app.date_buckets(timestamptz, timestamptz, text, interval, integer, text),
  app.repeats_a_day(timestamptz, timestamptz, text),
  app.rollup_atoms(app.question[], app.question_range[], app.question_part[]),
  app.event_atoms(app.question[], app.question_range[], app.question_part[]),
  app.event_days(app.question[], app.question_range[], app.question_part[]),
  app.amounts(app.question[], app.atom[], app.factor[]),
  app.chosen_atoms(app.atom[], app.question_group[]);
drop type app.amount, app.series, app.cell cascade;

-- What a message about its query begins with.
alter type app.question_metric add attribute label text;

create type app.stretch as (
  question integer,
  range integer,
  part integer,
  key text,
  method text,
  dimensions text[],
  distinct_dimension text,
  fraction numeric,
  is_from_events boolean,
  currency text,
  filter jsonpath,
  group_by text[],
  store_id uuid,
  timezone text,
  grain text,
  starts_at timestamptz,
  ends_at timestamptz
);
comment on type app.stretch is
  'What a part of a query takes from a store: between two instants from its events or from its rollups of one grain. The currency is that which its money is to be converted to';

comment on type app.atom is
  'What a part has in a bucket, counted from 1, or in the whole range (0): first, of money that is to be converted for each day, and of levels for each store and combination of dimensions the time and the value of the last; in the end, without these. Of levels, different values and percentiles the value is the sum';

create type app.series as (
  number integer,
  question integer,
  metric integer,
  group_key jsonb,
  currency text,
  is_void boolean
);
comment on type app.series is 'A series of an answer, in their order; void where its values cannot be told apart by currency';

create type app.cell as (
  series integer,
  range integer,
  bucket integer,
  value numeric
);
comment on type app.cell is 'The value of a series in a bucket that has events, see app.atom';

create type app.group_total as (
  question integer,
  metric integer,
  group_key jsonb,
  value numeric
);
comment on type app.group_total is 'What a group comes to in a metric that groups are ranked or ordered by';

reset role;
