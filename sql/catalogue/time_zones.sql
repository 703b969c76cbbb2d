-- The IANA zones of this server. A newer zone database adds names; none is taken away that a store may use.

set role tally_owner;

insert into app.time_zones (name)
select z.name
from pg_catalog.pg_timezone_names as z
where z.name !~ '^(posix|right)/' and z.name <> 'localtime'
on conflict (name) do nothing;

reset role;
