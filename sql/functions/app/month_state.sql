-- What the organizations that have events in a month make of it:
--
--   kept     one of them keeps it
--   closing  no plan keeps it any more, but not all have closed it yet (app.close_organizations)
--   closed   all have closed it, or are gone
--
-- Goes from organization to organization in the partition's key, one probe each, and ends with the first that keeps it. The
-- bounds are literals, so that planning leaves all other partitions out, unlocked.

set role tally_owner;

create or replace function app.month_state(p_starts timestamptz, p_ends timestamptz) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_state pg_catalog.text;
begin
  execute format(
    $query$
      with recursive tenant (org_id) as (
        (
          select e.org_id from public.metric_events e
          where e.recorded_at >= %1$L and e.recorded_at < %2$L
          order by e.org_id
          limit 1
        )
        union all
        select (
          select e.org_id from public.metric_events e
          where e.recorded_at >= %1$L and e.recorded_at < %2$L and e.org_id > t.org_id
          order by e.org_id
          limit 1
        )
        from tenant t
        where t.org_id is not null
      ),
      -- Lazily, as far as it is asked for below.
      claim as (
        select coalesce(app.plan_closed_before(l.events_retention_months) < %2$L, true) as is_kept
        from tenant t
        join public.organizations o on o.id = t.org_id
        left join app.plan_limits l on l.plan_tier = o.plan_tier
        where not exists (select from app.retention r where r.org_id = t.org_id and r.closed_before >= %2$L)
      )
      select case
        when exists (select from claim c where c.is_kept) then 'kept'
        when exists (select from claim c) then 'closing'
        else 'closed'
      end
    $query$,
    p_starts, p_ends
  ) into v_state;
  return v_state;
end
$$;

comment on function app.month_state(timestamptz, timestamptz) is
  'Whether a month is kept by an organization that has events in it, or closed by all of them';

reset role;
