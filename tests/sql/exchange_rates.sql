-- Exchange rates: what a rate may be, whose counts, and who changes which, whatever the functions of the API would do.

begin;
select plan(34);

select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
insert into public.org_members (org_id, user_id, role)
  select id, 'aaaaaaaa-0000-4000-8000-000000000002', 'viewer' from public.organizations where slug = 'acme';
select app.create_api_key(id, 'key', array['metrics:read']) from public.organizations where slug = 'acme';
select set_config('test.key', jsonb_build_object('api_key_hash', key_hash)::text, true) from public.api_keys;
create temporary table org as select slug, id from public.organizations;
grant select on org to public;
create function pg_temp.org(p_slug text) returns uuid language sql as 'select id from org where slug = p_slug';

-- Acts for a person of acme, by number.
create function pg_temp.act(p_person integer) returns void language sql as $$
  select app.assume_authority(jsonb_build_object(
    'sub', 'aaaaaaaa-0000-4000-8000-00000000000' || p_person, 'org_id', pg_temp.org('acme'), 'user_role', 'owner'
  )::text)
$$;
create function pg_temp.load(p_currency text, p_day date, p_rate numeric, p_slug text default null) returns integer
  language sql as $$
  select changed(format(
    'insert into public.exchange_rates (org_id, currency, day, rate) values (%L, %L, %L, %L)',
    pg_temp.org(p_slug), p_currency, p_day, p_rate
  ))
$$;

-- What a rate may be.
select throws_ok(format('select pg_temp.load(%L, %L, %s)', currency, day, rate), '23514', null, says)
from (values
  ('usd', '2026-10-02', '1', 'a code is of capitals'),
  ('USDX', '2026-10-02', '1', 'and of three'),
  ('EUR', '2026-10-02', '1', 'the euro has no rate'),
  ('USD', '1969-12-31', '1', 'nothing is before 1970'),
  ('USD', '9999-01-01', '1', 'nor beyond what can be asked for'),
  ('USD', '2026-10-02', '0', 'a rate is above zero'),
  ('USD', '2026-10-02', '-1', 'and never below'),
  ('USD', '2026-10-02', '1000000000.1', 'it has a bound'),
  ('USD', '2026-10-02', '''NaN''', 'it is a number'),
  ('USD', '2026-10-02', '''Infinity''', 'a finite one'),
  ('USD', '2026-10-02', '1.0000000000000000001', 'of eighteen places at most')
) as bad(currency, day, rate, says);
select is(pg_temp.load('USD', '1970-01-01', 0.000000000000000001), 1, 'the least');
select is(pg_temp.load('DEM', '9998-12-31', 1000000000), 1, 'the most, of a currency that is gone');
delete from public.exchange_rates;

-- Whose counts.
select pg_temp.load('USD', '2026-10-02', 1.1712), pg_temp.load('GBP', '2026-10-02', 0.8713),
  pg_temp.load('USD', '2026-10-05', 1.18);
select pg_temp.load('USD', '2026-10-02', 1.20, 'acme'), pg_temp.load('JPY', '2026-10-02', 170, 'acme'),
  pg_temp.load('USD', '2026-10-02', 9, 'bolt');
select throws_ok($$select pg_temp.load('USD', '2026-10-02', 1)$$, '23505', null, 'one for all');
select throws_ok($$select pg_temp.load('USD', '2026-10-02', 1, 'acme')$$, '23505', null, 'and one for an organization');

set local role tally_query;
select is_empty('select from app.rates where org_id is not null', 'nobody''s own without an authority');
select pg_temp.act(1);
select results_eq(
  'select currency, day::text, rate::text from app.rates order by 2, 1',
  $$values ('GBP', '2026-10-02', '0.8713'), ('JPY', '2026-10-02', '170'), ('USD', '2026-10-02', '1.20'),
    ('USD', '2026-10-05', '1.18')$$,
  'its own before the one for all, and nothing carried forward'
);
select is((select count(*) from public.exchange_rates), 5::bigint, 'nothing of another organization');
select throws_ok(
  $$insert into public.exchange_rates (org_id, currency, day, rate) values (pg_temp.org('acme'), 'CHF', '2026-10-02', 1)$$,
  '42501', null, 'the role of the queries adds nothing to the table'
);
select throws_ok('update public.exchange_rates set rate = 1', '42501', null, 'changes nothing in it');
select throws_ok('delete from public.exchange_rates', '42501', null, 'removes nothing from it');

-- Managers load and remove their own.
select lives_ok(
  $$select app.store_exchange_rates('{2026-10-02,2026-10-03}', '{USD,USD}', '{1.200,1.25}')$$, 'an owner loads'
);
select results_eq(
  $$select day::text, rate::text from public.exchange_rates
    where org_id = pg_temp.org('acme') and currency = 'USD' order by 1$$,
  $$values ('2026-10-02', '1.200'), ('2026-10-03', '1.25')$$, 'as it is written'
);
select is(app.erase_exchange_rates('2026-10-02', '2026-10-03', '{USD}'), 1, 'removes some');
select is(app.erase_exchange_rates('2026-10-01', '2026-11-01', null), 2, 'and the rest');
select results_eq(
  'select currency, day::text, rate::text from app.rates order by 2, 1',
  $$values ('GBP', '2026-10-02', '0.8713'), ('USD', '2026-10-02', '1.1712'), ('USD', '2026-10-05', '1.18')$$,
  'what counts for all is there, and counts again'
);
select lives_ok(
  $$select app.store_exchange_rates(array_agg(date '2000-01-01' + n), array_agg('USD'::text), array_agg(1::numeric))
    from generate_series(0, 10000) as n$$,
  'ten thousand and one'
);
select throws_ok(
  $$select app.erase_exchange_rates('2000-01-01', '2030-01-01', null)$$, 'TH032', null, 'are too many to remove at once'
);
select is(
  (select count(*) from public.exchange_rates where org_id is not null), 10001::bigint, 'and then none of them goes'
);
select is(app.erase_exchange_rates('2000-01-02', '2030-01-01', null), 10000, 'one less is not');

-- Nobody else does.
select pg_temp.act(2);
select throws_ok($$select app.store_exchange_rates('{2026-10-02}', '{USD}', '{1}')$$, 'TH003', null, 'a viewer loads none');
select throws_ok(
  $$select app.erase_exchange_rates('2000-01-01', '2030-01-01', null)$$, 'TH003', null, 'and removes none'
);
select app.assume_authority(current_setting('test.key'));
select throws_ok($$select app.store_exchange_rates('{2026-10-02}', '{USD}', '{1}')$$, 'TH003', null, 'nor does a key');
reset role;

select is(
  (select string_agg(rate::text, ' ') from public.exchange_rates where org_id = pg_temp.org('bolt')), '9',
  'nothing became of the other one''s'
);

select * from finish();
rollback;
