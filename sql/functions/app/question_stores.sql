-- The stores that a query is about: those it names, those of a workspace, or all that the caller may see.
--
-- Errors: TH004 unknown store; TH030 unknown workspace.

set role tally_owner;

create or replace function app.question_stores(p_query jsonb) returns uuid[]
  language plpgsql stable set search_path = ''
as $$
declare
  v_org_id constant uuid := app.org_id();
  v_workspace_id constant uuid := p_query ->> 'workspace';
  v_named uuid[];
  v_found uuid[];
  v_unknown uuid;
begin
  if p_query -> 'stores' <> 'null' then
    v_named := array(select s.id::uuid from jsonb_array_elements_text(p_query -> 'stores') as s(id));
    v_found := array(select s.id from public.stores s where s.org_id = v_org_id and s.id = any (v_named));
    select n.id into v_unknown from unnest(v_named) as n(id) where n.id <> all (v_found) limit 1;
    if v_unknown is not null then
      raise exception using errcode = 'TH004', message = format('no store %s', v_unknown);
    end if;
    return v_found;
  end if;
  if v_workspace_id is null then
    return array(select s.id from public.stores s where s.org_id = v_org_id);
  end if;
  if not exists (select from public.workspaces w where w.org_id = v_org_id and w.id = v_workspace_id) then
    raise exception using errcode = 'TH030', message = format('no workspace %s', v_workspace_id);
  end if;
  return array(select s.id from public.stores s where s.org_id = v_org_id and s.workspace_id = v_workspace_id);
end
$$;

comment on function app.question_stores(jsonb) is 'The stores that a query is about';
grant execute on function app.question_stores(jsonb) to tally_query;

reset role;
