-- GET /v1/api-keys: the keys of the organization that the user manages, revoked and expired ones too, the newest first.
--
--   p_after_time, p_after_id   the last key of the page before; null for the first page
--
-- Answers {"api_keys": [{"id", "name", "prefix", "scopes", "store_id", "created_by", "created_at", "expires_at",
-- "revoked_at", "last_used_at"}], "next_cursor"}; next_cursor, <microseconds since 1970>.<id>, is null on the last
-- page.
--
-- Errors: TH002 from app.assume_authority; TH003 from app.managed_org_id.

set role tally_owner;

create or replace function api.list_api_keys(
  p_authority text, p_limit integer, p_after_time timestamptz, p_after_id uuid
) returns text
  language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  perform app.assume_authority(p_authority);
  v_org_id := app.managed_org_id();

  return (
    with found as (
      -- One more than is shown tells whether there is another page.
      select
        k.id, k.name, k.prefix, k.scopes, k.store_id, k.created_by, k.created_at, k.expires_at, k.revoked_at,
        k.last_used_at
      from public.api_keys k
      where k.org_id = v_org_id
        and (k.created_at, k.id) < (
          coalesce(p_after_time, 'infinity'), coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
      order by k.created_at desc, k.id desc
      limit p_limit + 1
    ),
    numbered as (
      select f.*, row_number() over (order by f.created_at desc, f.id desc) as position, count(*) over () as found
      from found f
    )
    select jsonb_build_object(
      'api_keys', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'id', n.id,
            'name', n.name,
            'prefix', n.prefix,
            'scopes', n.scopes,
            'store_id', n.store_id,
            'created_by', n.created_by,
            'created_at', app.iso_instant(n.created_at, 'UTC'),
            'expires_at', app.iso_instant(n.expires_at, 'UTC'),
            'revoked_at', app.iso_instant(n.revoked_at, 'UTC'),
            'last_used_at', app.iso_instant(n.last_used_at, 'UTC')
          )
          order by n.position
        ),
        '[]'
      ),
      'next_cursor', max(
        case when n.position = p_limit and n.found > p_limit
        then app.page_end(n.created_at, n.id) end
      )
    )::text
    from numbered n
    where n.position <= p_limit
  );
end
$$;

comment on function api.list_api_keys(text, integer, timestamptz, uuid) is 'GET /v1/api-keys';
grant execute on function api.list_api_keys(text, integer, timestamptz, uuid) to tally_token_hook;

reset role;
