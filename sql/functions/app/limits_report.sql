-- The limits of a plan as a client is told them, those that there are: {"minute": {"quota", "window", "used", "resets_in"},
-- "month": {...}}, times in seconds.

set role tally_owner;

create or replace function app.limits_report(
  p_minute_quota bigint, p_minute_used bigint, p_month_quota bigint, p_month_used bigint
) returns jsonb
  language plpgsql stable set search_path = ''
as $$
declare
  v_month constant timestamp := date_trunc('month', now() at time zone 'UTC');
  v_starts constant timestamptz := v_month at time zone 'UTC';
  v_ends constant timestamptz := (v_month + interval '1 month') at time zone 'UTC';
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'minute', case when p_minute_quota is not null then jsonb_build_object(
      'quota', p_minute_quota, 'window', 60, 'used', p_minute_used,
      'resets_in', ceil(extract(epoch from date_trunc('minute', now()) + interval '1 minute' - now()))::integer
    ) end,
    'month', case when p_month_quota is not null then jsonb_build_object(
      'quota', p_month_quota, 'window', extract(epoch from v_ends - v_starts)::integer, 'used', p_month_used,
      'resets_in', ceil(extract(epoch from v_ends - now()))::integer
    ) end
  ));
end
$$;

comment on function app.limits_report(bigint, bigint, bigint, bigint) is 'The limits of a plan as a client is told them';
grant execute on function app.limits_report(bigint, bigint, bigint, bigint) to tally_ingest;

reset role;
