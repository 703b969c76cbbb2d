-- Definitions of stocks (`last`) and of ratios over other metrics, with what each metric means exactly, and bounds on what an
-- organization defines for itself. What no check can see, app.check_metric_definition sees.
--
-- There are few definitions: checking them takes no time that anybody would notice.
-- squawk-ignore-file constraint-missing-not-valid

set role tally_owner;

create function app.are_dimensions(p_names jsonb) returns boolean
  language sql immutable set search_path = ''
  return jsonb_typeof(p_names) = 'array' and (
    select
      count(*) <= 8
      and count(*) = count(distinct n.name)
      and coalesce(bool_and(jsonb_typeof(n.name) = 'string' and octet_length(n.name #>> '{}') between 1 and 63), true)
      -- With values of 255 bytes each they still fit into an entry of the rollups' index.
      and coalesce(sum(octet_length(n.name #>> '{}')), 0) <= 256
    from jsonb_array_elements(case when jsonb_typeof(p_names) = 'array' then p_names else '[]' end) as n(name)
  );

comment on function app.are_dimensions(jsonb) is
  'Whether these are at most 8 different names of 256 bytes in all: rollups are kept for each combination of their values';
grant execute on function app.are_dimensions(jsonb) to authenticated, service_role;

-- What nothing checked before is put right, or it could not be migrated: an empty name becomes the key, what is too long is
-- cut, names of dimensions are the first eight that are names. Rollups are made anew from the events by the next migration.
update public.metric_definitions d
set display_name = coalesce(nullif(left(d.display_name, 200), ''), d.key),
    category = coalesce(nullif(left(d.category, 63), ''), 'other'),
    source = case when octet_length(d.source) between 1 and 63 then d.source end,
    metadata = case when octet_length(m.rest::text) <= 3000 then m.rest else '{}' end || m.dimensions
from (
  select
    given.id,
    given.metadata - array['rollup_dimensions', 'numerator', 'denominator'] as rest,
    case when given.metadata ? 'rollup_dimensions' then jsonb_build_object('rollup_dimensions', named.dimensions) else '{}' end
      as dimensions
  from public.metric_definitions given
  cross join lateral (
    select coalesce(jsonb_agg(n.name order by n.position), '[]') as dimensions
    from (
      select e.value #>> '{}' as name, min(e.position) as position,
        sum(octet_length(e.value #>> '{}')) over (order by min(e.position)) as bytes
      from jsonb_array_elements(given.metadata -> 'rollup_dimensions') with ordinality as e(value, position)
      where jsonb_typeof(e.value) = 'string' and octet_length(e.value #>> '{}') between 1 and 63
      group by 1
      order by 2
      limit 8
    ) as n
    where n.bytes <= 256
  ) as named
) as m
where m.id = d.id
  and (
    length(d.display_name) not between 1 and 200
    or length(d.category) not between 1 and 63
    or octet_length(d.source) not between 1 and 63
    or octet_length(d.metadata::text) > 4096
    or d.metadata ?| array['numerator', 'denominator']
    or (d.metadata ? 'rollup_dimensions' and not app.are_dimensions(d.metadata -> 'rollup_dimensions'))
  );

alter table public.metric_definitions
  add column description text not null default '',
  drop constraint metric_definitions_unit_check,
  add constraint metric_definitions_unit_check check (unit in ('currency', 'count', 'ratio')),
  drop constraint metric_definitions_aggregation_method_check,
  add constraint metric_definitions_aggregation_method_check
    check (aggregation_method in ('sum', 'count', 'avg', 'min', 'max', 'last', 'ratio')),
  drop constraint metric_definitions_metadata_check,
  add constraint metric_definitions_metadata_check check (
    jsonb_typeof(metadata) = 'object'
    and octet_length(metadata::text) <= 4096
    and (not metadata ? 'rollup_dimensions' or app.are_dimensions(metadata -> 'rollup_dimensions'))
  ),
  -- A ratio has no events, so there is nothing to roll up.
  add constraint metric_definitions_aggregation_method_unit_metadata_check check (
    case
      when aggregation_method = 'ratio' then
        unit in ('currency', 'ratio')
        and metadata ?& array['numerator', 'denominator']
        and jsonb_typeof(metadata -> 'numerator') = 'string'
        and jsonb_typeof(metadata -> 'denominator') = 'string'
        and not metadata ? 'rollup_dimensions'
      else unit <> 'ratio' and not metadata ?| array['numerator', 'denominator']
    end
  ),
  add constraint metric_definitions_display_name_check check (length(display_name) between 1 and 200),
  add constraint metric_definitions_category_check check (length(category) between 1 and 63),
  add constraint metric_definitions_source_check check (octet_length(source) between 1 and 63),
  add constraint metric_definitions_description_check check (length(description) <= 2000);

comment on column public.metric_definitions.key is 'What events, queries and ratios call it';
comment on column public.metric_definitions.category is 'What it is shown among: sales, traffic, marketing, customers, inventory, or of one''s own';
comment on column public.metric_definitions.unit is
  'currency: events carry an ISO 4217 code; count: a plain number; ratio: a plain quotient, of ratios only';
comment on column public.metric_definitions.aggregation_method is
  'How values of events become the value of a bucket. last: the last value of each store and combination of rollup dimensions, then the sum of these; ratio: no events, but a quotient of two other metrics, each aggregated first';
comment on column public.metric_definitions.metadata is
  'rollup_dimensions: the low-cardinality dimensions that rollups are kept by. numerator, denominator: of a ratio, the keys of its sides';
comment on column public.metric_definitions.description is
  'What is counted exactly, with which sign and on which date: vendors disagree, so the definition says it';

grant update (description) on public.metric_definitions to authenticated;

-- Anew, so that it has the new column.
create or replace view app.metrics with (security_invoker = true) as
  select distinct on (d.key) d.*
  from public.metric_definitions d
  order by d.key, d.org_id nulls last;

reset role;
