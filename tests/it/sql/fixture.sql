-- Organizations with a row in every table, for the access matrix and the fire. To be run by a superuser.
--
-- All that belongs to a tenant tells whose it is, wherever it comes to light: its ids begin with its mark, eight
-- hexadecimal digits that strangers may know, and its texts carry its secret, which they cannot.

create schema fixture;
grant usage on schema fixture to public;

create table fixture.tenants (
  mark text primary key,
  secret text not null,
  org_id uuid not null,
  amount numeric not null
);

create function fixture.id(p_mark text, p_number integer) returns uuid language sql immutable
  return (p_mark || '-0000-4000-8000-' || lpad(p_number::text, 12, '0'))::uuid;

-- People by number: 7 and 13 owners, 8 admin, 9 member, 10 viewer, 11 was an admin and is removed, 12 was an owner and
-- is a viewer, 14 is a viewer who manages the workspace.
create function fixture.claims(p_mark text, p_person integer, p_role text) returns jsonb language sql immutable
  return jsonb_build_object(
    'sub', fixture.id(p_mark, p_person), 'org_id', fixture.id(p_mark, 1), 'user_role', p_role, 'role', 'authenticated'
  );

-- Keys by number: 1 writes and reads, 2 is revoked, 3 expired, 4 tied to the second store.
create function fixture.key_hash(p_secret text, p_key integer) returns text language sql immutable
  return encode(sha256(convert_to(p_secret || p_key, 'UTF8')), 'hex');

create function fixture.found(p_mark text, p_secret text) returns void language plpgsql as $$
declare
  c_org constant uuid := fixture.id(p_mark, 1);
  c_workspace constant uuid := fixture.id(p_mark, 2);
  c_store constant uuid := fixture.id(p_mark, 3);
  c_other_store constant uuid := fixture.id(p_mark, 4);
  -- As good as a secret, for a number: its decimal digits.
  c_amount constant numeric := ('x' || left(p_secret, 8))::bit(32)::bigint * 1000003;
  c_at constant timestamptz := date_trunc('month', now());
begin
  insert into fixture.tenants values (p_mark, p_secret, c_org, c_amount);

  insert into public.organizations (id, name, slug, signup_user_id, white_label_config) values (
    c_org, 'Organization ' || p_secret, 'organization-' || p_secret, fixture.id(p_mark, 7),
    jsonb_build_object('brand', p_secret)
  );
  insert into public.workspaces (org_id, id, name, slug)
    values (c_org, c_workspace, 'Workspace ' || p_secret, 'workspace-' || p_secret);
  insert into public.stores (org_id, id, workspace_id, name, external_id) values
    (c_org, c_store, c_workspace, 'Store ' || p_secret, 'external ' || p_secret),
    (c_org, c_other_store, c_workspace, 'Other store ' || p_secret, 'other external ' || p_secret);
  insert into public.org_members (org_id, user_id, role)
    select c_org, fixture.id(p_mark, m.person), m.role::public.org_role
    from (values
      (7, 'owner'), (8, 'admin'), (9, 'member'), (10, 'viewer'), (11, 'admin'), (12, 'owner'), (13, 'owner'),
      (14, 'viewer')
    ) as m(person, role);
  insert into public.active_organizations (user_id, org_id)
    select user_id, org_id from public.org_members where org_id = c_org;
  insert into public.workspace_members (org_id, workspace_id, user_id)
    select c_org, c_workspace, user_id from public.org_members where org_id = c_org;
  update public.workspace_members set role = 'admin' where user_id = fixture.id(p_mark, 14);
  delete from public.org_members where user_id = fixture.id(p_mark, 11);
  update public.org_members set role = 'viewer' where user_id = fixture.id(p_mark, 12);
  insert into public.api_keys (org_id, id, name, key_hash, prefix, scopes, store_id, created_by, expires_at, revoked_at)
    select
      c_org, fixture.id(p_mark, 20 + k.number), 'Key ' || p_secret, fixture.key_hash(p_secret, k.number),
      'tally_' || p_secret, array['events:write', 'metrics:read'], k.store_id, fixture.id(p_mark, 7), k.expires_at,
      k.revoked_at
    from (values
      (1, null, null, null), (2, null, null, now()), (3, null, now() - interval '1 day', null),
      (4, c_other_store, null, null)
    ) as k(number, store_id, expires_at, revoked_at);

  insert into public.metric_definitions (org_id, id, key, display_name, unit, aggregation_method, category)
    values (c_org, fixture.id(p_mark, 30), 'own_' || p_secret, 'Own ' || p_secret, 'count', 'sum', 'own');
  insert into public.exchange_rates (org_id, currency, day, rate) values (c_org, 'USD', '2026-10-02', ('0.' || c_amount)::numeric);
  insert into public.exchange_rates (currency, day, rate)
    values ('USD', '2026-10-02', 1.1), ('GBP', '2026-10-02', 0.9) on conflict do nothing;
  perform app.ensure_months(array[c_at::date]);
  insert into public.metric_events (org_id, store_id, source, event_id, recorded_at, metric_key, value, dimensions)
    select
      c_org, store_id, 'source ' || p_secret, 'event ' || p_secret, c_at, 'orders', c_amount,
      jsonb_build_object('channel', p_secret)
    from unnest(array[c_store, c_other_store]) as store_id;
  insert into public.metric_rollups
    (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
    select
      c_org, store_id, 'orders', grain, c_at, '', jsonb_build_object('channel', p_secret),
      1, c_amount, c_amount, c_amount, c_amount, c_at
    from unnest(array[c_store, c_other_store]) as store_id, unnest(array['15m', 'day']) as grain;
  insert into public.quarantined_events (org_id, id, store_id, source, event_id, metric_key, code, detail, body, body_hash)
    select
      c_org, fixture.id(p_mark, q.number), q.store_id, 'source ' || p_secret, 'event ' || p_secret,
      'metric ' || p_secret, 'unknown_metric', 'no metric ' || p_secret, 'body ' || p_secret,
      sha256(convert_to('body ' || p_secret, 'UTF8'))
    from (values (31, c_store), (32, c_other_store)) as q(number, store_id);
  insert into public.event_changes (org_id, id, action, user_id, store_id, source, event_id, recorded_at, before)
    select
      c_org, fixture.id(p_mark, c.number), 'deleted', fixture.id(p_mark, 9), c.store_id, 'source ' || p_secret,
      'event ' || p_secret, c_at,
      jsonb_build_object(
        'metric', 'orders', 'value', c_amount::text, 'currency', null, 'dimensions', jsonb_build_object('channel', p_secret)
      )
    from (values (33, c_store), (34, c_other_store)) as c(number, store_id);

  insert into public.integration_connections
    (org_id, id, store_id, provider, display_name, external_account_id, settings)
    values (
      c_org, fixture.id(p_mark, 40), c_store, 'shopify', 'Shop ' || p_secret, 'account ' || p_secret,
      jsonb_build_object('shop', p_secret)
    );
  insert into public.sync_jobs (org_id, id, connection_id, stream, cursor, error_detail) values (
    c_org, fixture.id(p_mark, 41), fixture.id(p_mark, 40), 'orders', jsonb_build_object('page', p_secret),
    'detail ' || p_secret
  );
  insert into private.integration_secrets (org_id, id, connection_id, ciphertext)
    values (c_org, fixture.id(p_mark, 42), fixture.id(p_mark, 40), convert_to(p_secret, 'UTF8'));

  insert into app.retention (org_id, closed_before) values (c_org, '2000-01-01');
  insert into app.ingest_usage (org_id, slot, minute, minute_events, month, month_events)
    values (c_org, 20, '2000-01-01', 1, '2000-01-01', c_amount::bigint);
  insert into app.deleted_stores (org_id, store_id) values (c_org, fixture.id(p_mark, 5));
  insert into app.rollup_rebuilds (org_id, store_id, metric_key)
    select c_org, store_id, 'own_' || p_secret from unnest(array[c_store, c_other_store]) as store_id;
  insert into app.closed_dimensions (org_id, metric_key, closed_before, dimensions)
    values (c_org, 'own_' || p_secret, '2000-01-01', array[p_secret]);
  insert into app.provisioning_failures (user_id, sqlstate, message)
    values (fixture.id(p_mark, 7), 'P0001', 'failure ' || p_secret);
end
$$;

-- Every table and view, with the columns that tell a row; of a view, its id, or all if it has none.
create view fixture.resources as
  select
    c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relname,
    c.relkind in ('v', 'm') as is_view,
    coalesce(
      (
        select array_agg(a.attname::text order by a.attnum)
        from pg_index i
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid and i.indisprimary
      ),
      (
        select array_agg(a.attname::text order by a.attnum)
        from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0
          and (a.attname = 'id' or not exists (
            select from pg_attribute i where i.attrelid = c.oid and i.attname = 'id'
          ))
      )
    ) as key
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'app', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f');

-- The column that says whose organization a row is of, or whose user's.
create function fixture.column_of(p_table oid, p_kind text) returns text language sql stable as $$
  select case
    when p_kind = 'org' and p_table = 'public.organizations'::regclass then 'id'
    else coalesce((
      select quote_ident(attname) from pg_attribute
      where attrelid = p_table and attname = p_kind || '_id' and not attisdropped
    ), 'null::uuid')
  end
$$;

-- The columns that a role has a right to.
create function fixture.columns(p_role text, p_table oid, p_privilege text) returns text[] language sql stable as $$
  select coalesce(array_agg(quote_ident(attname) order by attnum), '{}')
  from pg_attribute
  where attrelid = p_table and attnum > 0 and not attisdropped and (attgenerated = '' or p_privilege = 'select')
    and has_column_privilege(p_role, p_table, attnum, p_privilege)
$$;

-- Tables that are empty, or hold nothing of one of the organizations: nothing would be proven of them.
create function fixture.unfilled() returns setof text language plpgsql as $$
declare
  v_resource fixture.resources;
  v_column text;
  v_is_filled boolean;
begin
  for v_resource in select * from fixture.resources order by name loop
    v_column := fixture.column_of(v_resource.oid, 'org');
    execute case v_column
      when 'null::uuid' then format('select exists (select from %s)', v_resource.name)
      else format(
        'select not exists (select org_id from fixture.tenants except select %s from %s)', v_column, v_resource.name
      )
    end into v_is_filled;
    if not v_is_filled then
      return next v_resource.name;
    end if;
  end loop;
end
$$;

-- All rows of these organizations, in short; without some tables.
create function fixture.checksum(p_org_ids uuid[], p_without text[]) returns text language plpgsql as $$
declare
  v_resource fixture.resources;
  v_column text;
  v_part text;
  v_whole text := '';
begin
  for v_resource in select * from fixture.resources where not is_view and not name = any (p_without) order by name loop
    v_column := fixture.column_of(v_resource.oid, 'org');
    if v_column <> 'null::uuid' then
      execute format(
        'select md5(string_agg(t::text, ''|'' order by t::text)) from %s t where %s = any ($1)',
        v_resource.name, v_column
      ) into v_part using p_org_ids;
      v_whole := v_whole || coalesce(v_part, '-');
    end if;
  end loop;
  return md5(v_whole);
end
$$;
