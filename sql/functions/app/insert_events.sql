-- Inserts events that are not there yet, in the order they are given in, which is that of the key. Answers those it inserted.
--
-- Where all are likely new, it first inserts without asking: that takes a third less than `on conflict`, which looks each
-- event up before and again while it inserts. If one was there already, what was inserted until then is undone and all of them
-- go the careful way; a repeated batch meets its first event at once, so little is undone.

set role tally_owner;

create or replace function app.insert_events(p_events public.metric_events[], p_likely_new boolean)
  returns public.metric_events[]
  language plpgsql volatile set search_path = '' set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_inserted public.metric_events[];
begin
  if p_likely_new then
    begin
      insert into public.metric_events select u.* from unnest(p_events) as u;
      return p_events;
    exception when unique_violation then
      null;
    end;
  end if;

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

comment on function app.insert_events(public.metric_events[], boolean) is
  'Inserts events that are not there yet, and answers those';
grant execute on function app.insert_events(public.metric_events[], boolean) to tally_ingest;

reset role;
