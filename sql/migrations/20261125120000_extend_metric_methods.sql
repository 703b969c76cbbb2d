-- Three more methods: `distinct` counts the different values of a dimension, `percentile` looks for the value below which a share
-- of all lies, `formula` calculates with other metrics. What no check can see, app.check_metric_definition sees.
--
-- tally_query, the role of /v1/metrics, writes definitions now: under the policies that hold authenticated to the organization its
-- user manages, and not by a security definer function. So whatever the statement says, a row of somebody else's is out of its
-- reach, and there is one place less where a request could touch another tenant's rows. Of all tables it writes this one alone,
-- as it already may by PostgREST whoever manages an organization.
--
-- There are few definitions: checking them takes no time that anybody would notice.
-- squawk-ignore-file constraint-missing-not-valid

set role tally_owner;

-- What nothing read before, and would be read now.
update public.metric_definitions
set metadata = metadata - array['formula', 'distinct_dimension', 'percentile']
where metadata ?| array['formula', 'distinct_dimension', 'percentile'];

alter table public.metric_definitions
  drop constraint metric_definitions_aggregation_method_check,
  add constraint metric_definitions_aggregation_method_check check (
    aggregation_method in ('sum', 'count', 'avg', 'min', 'max', 'last', 'distinct', 'percentile', 'ratio', 'formula')
  ),
  drop constraint metric_definitions_aggregation_method_unit_metadata_check,
  -- Each method has what it needs and nothing of the others. Ratios and formulas have no events, so there is nothing to roll up.
  add constraint metric_definitions_aggregation_method_unit_metadata_check check (
    case aggregation_method
      when 'ratio' then
        unit in ('currency', 'ratio')
        and metadata ?& array['numerator', 'denominator']
        and jsonb_typeof(metadata -> 'numerator') = 'string'
        and jsonb_typeof(metadata -> 'denominator') = 'string'
        and not metadata ?| array['rollup_dimensions', 'formula', 'distinct_dimension', 'percentile']
      when 'formula' then
        metadata ? 'formula'
        and jsonb_typeof(metadata -> 'formula') = 'string'
        and length(metadata ->> 'formula') <= 1000
        and not metadata ?| array['rollup_dimensions', 'numerator', 'denominator', 'distinct_dimension', 'percentile']
      when 'distinct' then
        unit = 'count'
        and metadata ? 'distinct_dimension'
        and jsonb_typeof(metadata -> 'distinct_dimension') = 'string'
        and octet_length(metadata ->> 'distinct_dimension') between 1 and 63
        and not metadata ?| array['numerator', 'denominator', 'formula', 'percentile']
      when 'percentile' then
        unit <> 'ratio'
        and metadata ? 'percentile'
        and jsonb_typeof(metadata -> 'percentile') = 'string'
        and metadata ->> 'percentile' ~ '^0\.[0-9]{1,6}$'
        and metadata ->> 'percentile' ~ '[1-9]'
        and not metadata ?| array['numerator', 'denominator', 'formula', 'distinct_dimension']
      else
        unit <> 'ratio'
        and not metadata ?| array['numerator', 'denominator', 'formula', 'distinct_dimension', 'percentile']
    end
  );

comment on column public.metric_definitions.key is 'What events, queries, ratios and formulas call it';
comment on column public.metric_definitions.unit is
  'currency: events carry an ISO 4217 code; count: a plain number; ratio: a plain quotient, of ratios and formulas only';
comment on column public.metric_definitions.aggregation_method is
  'How values of events become the value of a bucket. last: the last value of each store and combination of rollup dimensions, then the sum of these; distinct: how many different values of a dimension; percentile: the value below which a share of all lies; ratio and formula: no events, but a quotient or a calculation of other metrics, each aggregated first';
comment on column public.metric_definitions.metadata is
  'rollup_dimensions: the low-cardinality dimensions that rollups are kept by. numerator, denominator: of a ratio, the keys of its sides. formula: of a formula, see app.formula_program. distinct_dimension: of distinct, what is counted. percentile: of percentile, the share, a decimal as text';

alter policy metric_definitions_insert on public.metric_definitions to authenticated, tally_query;
alter policy metric_definitions_update on public.metric_definitions to authenticated, tally_query;
alter policy metric_definitions_delete on public.metric_definitions to authenticated, tally_query;
grant
  insert (org_id, key, source, display_name, unit, aggregation_method, category, metadata, description),
  update (source, display_name, unit, aggregation_method, category, metadata, description),
  delete
  on public.metric_definitions to tally_query;
grant execute on function app.are_dimensions(jsonb) to tally_query;

-- app.definition_faults judges formulas too.
drop function if exists app.ratio_faults(uuid);

reset role;
