-- Inserts events that are not there yet, in the order they are given in, which is that of the key. Answers those it inserted.

set role tally_owner;

create or replace function app.insert_events(p_events public.metric_events[]) returns public.metric_events[]
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_inserted public.metric_events[];
begin
  with inserted as (
    insert into public.metric_events as e
    select u.* from unnest(p_events) as u
    on conflict do nothing
    returning e
  )
  select coalesce(array_agg(i.e), '{}') into v_inserted from inserted i;
  return v_inserted;
end
$$;

comment on function app.insert_events(public.metric_events[]) is
  'Inserts events that are not there yet, and answers those';
grant execute on function app.insert_events(public.metric_events[]) to tally_ingest;

reset role;
