-- Keeps rejected events of the organization of the request, as far as its plan lets it: the first of the list, where not all find
-- room.
-- The same body for the same store is kept once, with its newest reason; so a sender that tries again and again fills nothing.
--
--   p_rejected  [{"code", "detail", "store_id", "source", "event_id", "metric", "body", "event"}]: the event as it was sent,
--               why it was rejected, and what of it could be read; "event" where its form was good
--
-- What a key sends that is tied to a store is that store's, whatever it names: another store's entries are none of its business.
-- An event that names a store the key does not see can be no other's to replay: whoever sees that store would count it there.
--
-- Answers the ids in the same order, null for an event that is not kept.
--
-- Two batches at once would both see the same room: the lock lets one after the other, to the end of its transaction. It comes
-- after those on events and rollups. pg_advisory_xact_lock(app.quarantine_lock(...)).
--
-- Security definer: an event may name a store that the key does not see, and be there already.

set role tally_owner;

create or replace function app.quarantine_events(p_rejected jsonb) returns uuid[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_org_id constant pg_catalog.uuid := app.org_id();
  v_key_store_id constant pg_catalog.uuid := app.key_store_id();
  v_room pg_catalog.int8;
  v_ids pg_catalog.uuid[];
begin
  if not app.may_write_events() then
    raise exception using errcode = 'TH003', message = 'the role may not write events';
  end if;
  perform pg_advisory_xact_lock(app.quarantine_lock(v_org_id));
  v_room := app.quarantine_limit() - (select count(*) from public.quarantined_events q where q.org_id = v_org_id);

  with told as materialized (
    select
      r.position, coalesce(v_key_store_id, app.uuid_or_null(r.event ->> 'store_id')) as store_id, r.event ->> 'source' as source,
      r.event ->> 'event_id' as event_id, r.event ->> 'metric' as metric_key, r.event ->> 'code' as code,
      r.event ->> 'detail' as detail, r.event ->> 'body' as body,
      sha256(convert_to(r.event ->> 'body', 'UTF8')) as body_hash,
      case
        when v_key_store_id is null or r.event ->> 'code' <> 'unknown_store' then nullif(r.event -> 'event', 'null')
      end as event
    from jsonb_array_elements(p_rejected) with ordinality as r(event, position)
  ),
  -- Of the same in one batch the first.
  once as materialized (
    select distinct on (t.store_id, t.body_hash) t.* from told t order by t.store_id, t.body_hash, t.position
  ),
  ranked as materialized (
    select o.*, q.id as known_id, count(*) filter (where q.id is null) over (order by o.position) as rank
    from once o
    left join public.quarantined_events q
      on q.org_id = v_org_id and q.store_id is not distinct from o.store_id and q.body_hash = o.body_hash
  ),
  kept as (
    insert into public.quarantined_events as q
      (org_id, store_id, source, event_id, metric_key, code, detail, body, body_hash, event)
    select v_org_id, r.store_id, r.source, r.event_id, r.metric_key, r.code, r.detail, r.body, r.body_hash, r.event
    from ranked r
    where r.known_id is not null or r.rank <= v_room
    on conflict (org_id, store_id, body_hash) do update
    set received_at = now(), times = q.times + 1, code = excluded.code, detail = excluded.detail, event = excluded.event
    returning q.id, q.store_id, q.body_hash
  )
  select array_agg(k.id order by t.position)
  into v_ids
  from told t
  left join kept k on k.store_id is not distinct from t.store_id and k.body_hash = t.body_hash;
  return coalesce(v_ids, '{}');
end
$$;

comment on function app.quarantine_events(jsonb) is 'Keeps rejected events, as far as the plan lets it';
grant execute on function app.quarantine_events(jsonb) to tally_ingest;

reset role;
