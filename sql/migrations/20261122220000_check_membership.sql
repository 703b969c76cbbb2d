-- Claims count only as far as they are true now.
--
-- Under PostgREST the claims are those of a token, which may be an hour old and name somebody who has been removed or
-- demoted since. So app.claims(), through which every policy reads, looks the membership up; what is in a token and is
-- no longer so counts for nothing. Claims that app.assume_authority has set are checked already, which tally.authority
-- says: a setting of the transaction that holds the same text. No token can set it. Whoever can run set_config() can
-- also put anybody's claims in place, here as anywhere under Supabase; PostgREST lets nobody.

set role tally_owner;

create function app.uuid_or_null(p_text text) returns uuid
  language plpgsql immutable parallel safe set search_path = ''
as $$
begin
  if p_text ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return p_text::pg_catalog.uuid;
  end if;
  return null;
end
$$;

comment on function app.uuid_or_null(text) is 'A text as a uuid; null where it is none';

-- Security definer: the membership must be known before there are claims for a policy to read.
create or replace function app.claims() returns jsonb
  language plpgsql stable parallel safe security definer set search_path = ''
as $$
declare
  v_text constant pg_catalog.text := coalesce(current_setting('request.jwt.claims', true), '');
  v_given pg_catalog.jsonb;
  v_user_id pg_catalog.uuid;
  v_result pg_catalog.jsonb;
begin
  if v_text = '' then
    return '{}';
  end if;
  v_given := v_text::pg_catalog.jsonb;
  if v_text = current_setting('tally.authority', true) then
    return v_given;
  end if;

  v_user_id := app.uuid_or_null(v_given ->> 'sub');
  -- The lesser of the role that the token was given and the one that the member has: the enum goes from most to least.
  if v_given ->> 'user_role' in ('owner', 'admin', 'member', 'viewer') then
    select jsonb_build_object(
      'sub', m.user_id, 'org_id', m.org_id, 'user_role', greatest(m.role, (v_given ->> 'user_role')::public.org_role)
    )
    into v_result
    from public.org_members m
    where m.org_id = app.uuid_or_null(v_given ->> 'org_id') and m.user_id = v_user_id;
  end if;
  return coalesce(v_result, jsonb_strip_nulls(jsonb_build_object('sub', v_user_id)));
end
$$;

comment on function app.claims() is
  'What of the request''s claims is true now: sub, org_id and user_role of a member, of anybody else sub alone, of an API key what app.assume_authority set. A token without a role, or with one that is unknown, makes no member; what is not JSON is an error';

-- The readers again: they call one another, and PL/pgSQL keeps its plans where SQL functions plan anew in each
-- statement. All are parallel safe, or no query under a policy could be run in parallel.
create or replace function app.claimed_uuid(p_claim text) returns uuid
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.uuid_or_null(app.claims() ->> p_claim);
end
$$;

create or replace function app.org_id() returns uuid
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.claimed_uuid('org_id');
end
$$;

create or replace function app.user_id() returns uuid
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.claimed_uuid('sub');
end
$$;

create or replace function app.user_role() returns text
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.claims() ->> 'user_role';
end
$$;

create or replace function app.has_scope(p_scope text) returns boolean
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return coalesce(app.claims() -> 'scopes' ? p_scope, false);
end
$$;

create or replace function app.may_write_events() returns boolean
  language plpgsql stable parallel safe set search_path = ''
as $$
declare
  v_role constant text := app.user_role();
begin
  return coalesce(
    v_role in ('owner', 'admin', 'member') or (v_role = 'api_key' and app.has_scope('events:write')), false
  );
end
$$;

create or replace function app.may_read_metrics() returns boolean
  language plpgsql stable parallel safe set search_path = ''
as $$
declare
  v_role constant text := app.user_role();
begin
  return coalesce(
    v_role in ('owner', 'admin', 'member', 'viewer') or (v_role = 'api_key' and app.has_scope('metrics:read')), false
  );
end
$$;

create or replace function app.is_manager() returns boolean
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return coalesce(app.user_role() in ('owner', 'admin'), false);
end
$$;

create or replace function app.key_store_id() returns uuid
  language plpgsql stable parallel safe set search_path = ''
as $$
begin
  return app.claimed_uuid('store_id');
end
$$;

comment on function app.org_id() is 'The organization of the request: null unless the user is a member now';
comment on function app.user_id() is 'The user of the request, member of an organization or not; null for an API key';
comment on function app.user_role() is
  'owner, admin, member or viewer for a member, the lesser of the token''s role and the membership''s; api_key for an API key';

-- Was the look-up of assume_authority alone; app.claims() does it now. Missing where the functions come after this.
drop function if exists app.member_claims(uuid, uuid, public.org_role);

grant execute on function app.uuid_or_null(text) to anon, authenticated, service_role, tally_ingest, tally_query;

reset role;
