-- All that the database needs done regularly: months made ahead, closed months removed by plan, what deleted stores left behind,
-- and rollups rebuilt whose dimensions changed. Any scheduler may call it, as often as it likes; a call does a bounded amount of work, and says whether there is
-- more. Two at once do no harm: the second does nothing.
--
-- Locks stay until the end of the transaction. So a call that made months or dropped any ends with that, the closing of
-- organizations, for which their batches wait, comes last, and rollups are rebuilt by a call that closes none.
--
-- Answers {"running": true, "again": false} if another is at it, else
--   months_made, making_busy        partitions made; true where somebody else is making one and has not come to an end
--   months_dropped, dropping_busy   partitions dropped whole; the one that it could not get hold of
--   events_purged                   raw events deleted because the plan does not keep their month
--   changes_purged                  records of changes from before the months that the plan keeps
--   organizations_closed, organizations_busy
--                                   how many had months closed or stores settled; how many had batches under way, or rollups
--                                   to be rebuilt first
--   stores_cleaned, store_events_deleted, store_rollups_deleted
--                                   deleted stores that nothing is left of, and rows of deleted stores
--   rollups_rebuilt, rollups_busy   of how many metrics of a store to the end; of how many not, since there were batches under way
--   again                           whether to call again at once
--
-- Security definer: it sees all organizations. Lock: pg_try_advisory_xact_lock(1413565517, 0); keys of two numbers are
-- apart from those of one (app.batch_lock).

set role tally_owner;

create or replace function app.maintain(p_max_rows integer default 50000, p_max_organizations integer default 500)
  returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  c_max_months constant integer := 12;
  v_report pg_catalog.jsonb := jsonb_build_object(
    'months_made', '[]'::pg_catalog.jsonb, 'making_busy', false,
    'months_dropped', '[]'::pg_catalog.jsonb, 'dropping_busy', '[]'::pg_catalog.jsonb,
    'events_purged', 0, 'changes_purged', 0, 'organizations_closed', 0, 'organizations_busy', 0,
    'stores_cleaned', 0, 'store_events_deleted', 0, 'store_rollups_deleted', 0, 'rollups_rebuilt', 0, 'rollups_busy', 0,
    'again', true
  );
  v_lock_timeout constant pg_catalog.text := current_setting('lock_timeout');
  v_made pg_catalog.text[];
  v_months pg_catalog.jsonb;
  v_events pg_catalog.jsonb;
  v_changes pg_catalog.int4;
  v_stores pg_catalog.jsonb;
  v_closed pg_catalog.jsonb;
  v_rebuilt pg_catalog.jsonb := '{"rebuilt": 0, "busy": 0, "again": false}';
begin
  if (p_max_rows >= 1 and p_max_organizations >= 1) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'Rows and organizations of a call are at least 1.';
  end if;
  if not pg_try_advisory_xact_lock(1413565517, 0) then
    return jsonb_build_object('running', true, 'again', false);
  end if;

  begin
    perform set_config('lock_timeout', '1s', true);
    v_made := app.ensure_partitions();
    perform set_config('lock_timeout', v_lock_timeout, true);
  exception when lock_not_available then
    v_report := v_report || jsonb_build_object('making_busy', true);
  end;
  if cardinality(v_made) > 0 then
    return v_report || jsonb_build_object('months_made', to_jsonb(v_made));
  end if;

  v_months := app.drop_months(c_max_months);
  v_report := v_report || jsonb_build_object('months_dropped', v_months -> 'dropped', 'dropping_busy', v_months -> 'busy');
  if v_months -> 'dropped' <> '[]' then
    return v_report;
  end if;

  v_events := app.purge_events(p_max_rows, p_max_organizations);
  perform app.purge_usage();
  v_changes := app.purge_changes(p_max_rows - (v_events ->> 'events')::pg_catalog.int4);
  v_stores := app.purge_stores(
    p_max_rows - (v_events ->> 'events')::pg_catalog.int4 - v_changes, p_max_organizations
  );
  v_closed := app.close_organizations(p_max_organizations);
  if (v_closed ->> 'closed')::integer = 0 then
    v_rebuilt := app.rebuild_rollups(p_max_organizations, p_max_rows);
  end if;
  return v_report || jsonb_build_object(
    'events_purged', v_events -> 'events',
    'changes_purged', v_changes,
    'organizations_closed', v_closed -> 'closed',
    'organizations_busy', v_closed -> 'busy',
    'stores_cleaned', v_stores -> 'stores',
    'store_events_deleted', v_stores -> 'events',
    'store_rollups_deleted', v_stores -> 'rollups',
    'rollups_rebuilt', v_rebuilt -> 'rebuilt',
    'rollups_busy', v_rebuilt -> 'busy',
    'again', (v_events ->> 'more')::boolean or (v_stores ->> 'more')::boolean or v_changes > 0
      or (v_closed ->> 'closed')::integer > 0 or (v_rebuilt ->> 'again')::boolean
  );
end
$$;

comment on function app.maintain(integer, integer) is
  'Makes months ahead, removes closed ones and what deleted stores left: a bounded amount of work, "again" where there is more';
grant execute on function app.maintain(integer, integer) to service_role;

reset role;
