-- A part of app.rebuild_store_rollups: where the next month ends, of those that are closed, of which there are rollups from an instant
-- on; null where there are none left.
--
--   p_hours_from, p_days_from  where the quarter hours and the days begin that are made of events

set role tally_owner;

create or replace function app.closed_month_end(
  p_org_id uuid, p_store_id uuid, p_metric_key text, p_from timestamptz, p_hours_from timestamptz, p_days_from timestamptz
) returns timestamptz
  language plpgsql stable set search_path = ''
as $$
declare
  v_first timestamptz;
begin
  v_first := least(
    (
      select min(r.bucket_start) from public.metric_rollups r
      where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key and r.grain = '15m'
        and r.bucket_start >= p_from and r.bucket_start < p_hours_from
    ),
    (
      select min(r.bucket_start) from public.metric_rollups r
      where r.org_id = p_org_id and r.store_id = p_store_id and r.metric_key = p_metric_key and r.grain = 'day'
        and r.bucket_start >= p_from and r.bucket_start < p_days_from
    )
  );
  return least(date_trunc('month', v_first, 'UTC') + interval '1 month', case when v_first is not null then p_hours_from end);
end
$$;

comment on function app.closed_month_end(uuid, uuid, text, timestamptz, timestamptz, timestamptz) is
  'Where the next closed month ends of which there are rollups';

reset role;
