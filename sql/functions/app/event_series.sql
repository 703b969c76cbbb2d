-- What many events of a batch have in common: store, source, metric, currency and dimensions. Each series is looked up and parsed
-- once, and judged as far as it can be without its events. Arrays of one length, each value fit to be cast.
--
--   p_store_ids, p_external_ids   which store it is, by our id or by its sender's; without both the one that the key is tied to
--
-- Answers a row for each, in the same order: "place" is the order of store and source among them, "rollup" the number of the
-- first that goes into the same rollups, and "code" says why its events are to be rejected, see app.explain_rejection. A value of
-- money without a currency is in the store's own; what is no money has none, whatever the event says.
--
-- Under row-level security an index is searched by what needs no working out only: so ids are worked out before. And each store
-- by itself (offset 0), since how many stores this organization has, a plan does not know; but once, however many series it has.

set role tally_owner;

create or replace function app.event_series(
  p_store_ids text[],
  p_external_ids text[],
  p_sources text[],
  p_metrics text[],
  p_currencies text[],
  p_dimensions text[]
) returns app.event_series[]
  language plpgsql stable set search_path = '' set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_key_store_id constant uuid := app.key_store_id();
begin
  return array(
    with told as materialized (
      select
        u.position, u.external_id, u.source, u.metric, u.currency, u.dimensions::jsonb as dimensions,
        coalesce(u.store_id::uuid, case when u.external_id is null then v_key_store_id end) as store_id
      from unnest(p_store_ids, p_external_ids, p_sources, p_metrics, p_currencies, p_dimensions)
        with ordinality as u(store_id, external_id, source, metric, currency, dimensions, position)
    ),
    identified as materialized (
      select t.*, coalesce(x.id, t.store_id) as id
      from told t
      left join lateral (
        select x.id from public.stores x where x.org_id = v_org_id and x.external_id = t.external_id offset 0
      ) as x on true
    ),
    named as materialized (
      select s.id, s.timezone, s.currency
      from (select distinct i.id from identified i) as i
      cross join lateral (
        select s.id, s.timezone, s.currency from public.stores s where s.org_id = v_org_id and s.id = i.id offset 0
      ) as s
    ),
    found as materialized (
      select
        i.position, s.id as store_id, s.timezone, i.source, i.metric, i.dimensions,
        case when d.unit = 'currency' then coalesce(i.currency, s.currency) end as currency,
        (
          select coalesce(jsonb_object_agg(declared.name, i.dimensions -> declared.name), '{}')
          from jsonb_array_elements_text(d.metadata -> 'rollup_dimensions') as declared(name)
          where i.dimensions ? declared.name
        ) as rollup_dimensions,
        case
          when i.store_id is null and i.external_id is null then 'store_required'
          when s.id is null then 'unknown_store'
          when d.key is null then 'unknown_metric'
          when d.aggregation_method in ('ratio', 'formula') then 'derived_metric'
        end as code
      from identified i
      left join named s on s.id = i.id
      left join app.metrics d on d.key = i.metric
    )
    -- Partitioned by the metric first, since two of those are told apart fastest.
    select row(
      f.position, f.store_id, f.timezone, f.source, dense_rank() over (order by f.store_id, f.source collate "C"), f.metric,
      f.currency, f.dimensions, f.rollup_dimensions,
      min(f.position) over (partition by f.metric collate "C", f.store_id, f.currency collate "C", f.rollup_dimensions), f.code
    )::app.event_series
    from found f
    order by f.position
  );
end
$$;

comment on function app.event_series(text[], text[], text[], text[], text[], text[]) is
  'What many events of a batch have in common, looked up and judged';
grant execute on function app.event_series(text[], text[], text[], text[], text[], text[]) to tally_ingest;

reset role;
