-- A part of app.follow_metric_definition: keeps by which dimensions the rollups of closed months are at most, as a definition changes
-- from some to others.
--
--   p_org_id   whose definition it is; null of a standard one: then of all organizations that have none of their own
--
-- What a definition does not name any more, closed months lose with it (app.merge_rollups).

set role tally_owner;

create or replace function app.keep_closed_dimensions(p_org_id uuid, p_metric_key text, p_before text[], p_after text[])
  returns void
  language plpgsql volatile set search_path = ''
as $$
begin
  update app.closed_dimensions c
  set dimensions = array(select d.name from unnest(c.dimensions) as d(name) where d.name = any (p_after))
  where c.metric_key = p_metric_key and not c.dimensions <@ p_after
    and c.org_id in (select s.org_id from app.rolled_up_stores(p_org_id, p_metric_key) s);
  if not p_after <@ p_before then
    insert into app.closed_dimensions as c (org_id, metric_key, closed_before, dimensions)
    select
      r.org_id, p_metric_key, r.closed_before, array(select d.name from unnest(p_before) as d(name) where d.name = any (p_after))
    from app.retention r
    where r.org_id in (select s.org_id from app.rolled_up_stores(p_org_id, p_metric_key) s)
    on conflict (org_id, metric_key, closed_before) do update
    set dimensions = array(select d.name from unnest(c.dimensions) as d(name) where d.name = any (excluded.dimensions));
  end if;
end
$$;

comment on function app.keep_closed_dimensions(uuid, text, text[], text[]) is
  'Keeps by which dimensions the rollups of closed months are at most';

reset role;
