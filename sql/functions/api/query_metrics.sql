-- POST /v1/query: series of metrics, every bucket filled.
--
--   p_metrics      keys, answered in this order
--   p_stores       store ids; null for every store the caller may see
--   p_from, p_to   end-exclusive; a local time in the zone ('2026-10-01T00:00:00') or an instant ('2026-10-01T04:00:00Z'),
--                  on a quarter hour
--   p_granularity  none, day, week (from Monday), month, quarter, year
--
-- Answers {"series": [{"metric", "unit", "currency", "group", "points": [{"start", "value"}], "total"}]}; currencies are
-- split, never added. Sums and counts of an empty bucket are 0, averages, extremes and levels null. A ratio is divided after
-- both of its sides are aggregated, in each bucket and in the total anew.
--
-- At most 11,000 buckets, and 50,000 points over all series; a metric may be asked for once.
--
-- Errors: TH001, TH002 from app.assume_authority; TH003 not allowed to read; TH004 unknown store; TH005 unknown metric;
-- TH006 out of range, or a ratio that cannot be answered; TH007 unknown time zone.

set role tally_owner;

create or replace function api.query_metrics(
  p_authority text,
  p_metrics text[],
  p_stores text[],
  p_from text,
  p_to text,
  p_granularity text,
  p_zone text,
  p_totals boolean
) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  c_max_buckets constant integer := 11000;
  v_org_id uuid;
  v_from timestamptz;
  v_to timestamptz;
  v_first timestamp;
  v_step interval;
  v_stores uuid[];
  v_unknown text;
  v_fault text;
begin
  perform app.assume_authority(p_authority);
  if not app.may_read_metrics() then
    raise exception using errcode = 'TH003', message = 'the role may not read metrics';
  end if;
  v_org_id := app.org_id();

  if not exists (select from app.time_zones where name = p_zone) then
    raise exception using errcode = 'TH007', message = format('unknown time zone %s', p_zone);
  end if;
  v_from := app.local_instant(p_from, p_zone);
  v_to := app.local_instant(p_to, p_zone);
  if v_from >= v_to then
    raise exception using errcode = 'TH006', message = 'from must be before to';
  end if;

  select array_agg(s.id) into v_stores
  from public.stores s
  where s.org_id = v_org_id and (p_stores is null or s.id = any (p_stores::uuid[]));
  if p_stores is not null then
    select u.id into v_unknown from unnest(p_stores) as u(id) where not u.id::uuid = any (coalesce(v_stores, '{}')) limit 1;
    if v_unknown is not null then
      raise exception using errcode = 'TH004', message = format('no store %s', v_unknown);
    end if;
  end if;

  select u.key into v_unknown
  from unnest(p_metrics) as u(key)
  where not exists (select from app.metrics m where m.key = u.key)
  limit 1;
  if v_unknown is not null then
    raise exception using errcode = 'TH005', message = format('no metric %s', v_unknown);
  end if;

  -- Definitions are kept from breaking a derived metric as they are written, but for changes of the standard catalogue.
  select f.fault into v_fault from app.definition_faults(v_org_id) f where f.key = any (p_metrics) limit 1;
  if v_fault is not null then
    raise exception using errcode = 'TH006', message = v_fault;
  end if;

  if (select count(distinct u.key) from unnest(p_metrics) as u(key)) <> cardinality(p_metrics) then
    raise exception using errcode = 'TH006', message = 'a metric is asked for twice';
  end if;

  v_step := case p_granularity
    when 'none' then null when 'quarter' then interval '3 months' else ('1 ' || p_granularity)::interval
  end;
  v_first := case
    when v_step is null then v_from at time zone p_zone
    else date_trunc(p_granularity, v_from at time zone p_zone)
  end;
  if v_step is not null and (v_to at time zone p_zone) > v_first + v_step * c_max_buckets then
    raise exception using errcode = 'TH006', message = format('more than %s buckets', c_max_buckets);
  end if;

  return jsonb_build_object('series', app.metric_series(
    v_org_id, p_metrics, coalesce(v_stores, '{}'), v_from, v_to, p_granularity, v_first, v_step, p_zone, p_totals
  ))::text;
end
$$;

comment on function api.query_metrics(text, text[], text[], text, text, text, text, boolean) is 'POST /v1/query';
grant execute on function api.query_metrics(text, text[], text[], text, text, text, text, boolean) to tally_query;

reset role;
