-- What to call the organization of a new user: the company, else the person's organization, else the host of their
-- address if it is not one where anybody can have an address, else the mailbox's organization, else just somebody's.
-- Providers leave the names of what people enter at sign-up to the application, so several are looked at; what is not
-- text is no name. Without the control characters and outer spaces that no name has.

set role tally_owner;

create or replace function app.organization_name(p_profile jsonb, p_email text) returns text
  language sql immutable set search_path = ''
as $$
  select left(
    coalesce(
      (
        select t.name || case when s.is_person then '''s organization' else '' end
        from (
          values
            (1, false, p_profile -> 'company'),
            (2, false, p_profile -> 'company_name'),
            (3, false, p_profile -> 'organization'),
            (4, false, p_profile -> 'organization_name'),
            (5, true, p_profile -> 'full_name'),
            (6, true, p_profile -> 'name'),
            (
              7, false,
              (
                select to_jsonb(h.host)
                from (select lower(split_part(p_email, '@', -1))) as h (host)
                where strpos(p_email, '@') > 1 and h.host ~ '^([a-z0-9-]+[.])+[a-z][a-z0-9-]*[a-z0-9]$'
                  and not app.is_public_mail_host(h.host)
              )
            ),
            (8, true, case when strpos(p_email, '@') > 0 then to_jsonb(split_part(p_email, '@', 1)) end)
        ) as s (rank, is_person, entered),
        lateral (select regexp_replace(s.entered #>> '{}', '[\u0001-\u001f\u007f-\u009f]', '', 'g')) as c (visible),
        lateral (select '[\s\u00a0\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]+') as b (blanks),
        lateral (select regexp_replace(c.visible, '^' || b.blanks || '|' || b.blanks || '$', '', 'g')) as t (name)
        where jsonb_typeof(s.entered) = 'string' and t.name <> ''
        order by s.rank
        limit 1
      ),
      'My organization'
    ),
    200
  )
$$;

comment on function app.organization_name(jsonb, text) is 'What to call the organization of a new user';

reset role;
