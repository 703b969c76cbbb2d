-- Definitions: the standard catalogue is sound, an organization's own are bounded, and no ratio is left that cannot be answered.

begin;
select plan(51);

-- The standard catalogue.
select is_empty(
  $$select key from public.metric_definitions where org_id is null and description !~ '^[A-Z].*\.$'$$,
  'every standard metric says what it means'
);
select set_eq(
  'select distinct unit, aggregation_method from public.metric_definitions where org_id is null',
  $$values ('currency', 'sum'), ('count', 'sum'), ('count', 'last'), ('currency', 'ratio'), ('ratio', 'ratio')$$,
  'the kinds of standard metrics'
);
select is_empty(
  $$select key from public.metric_definitions
      where org_id is null and aggregation_method <> 'ratio' and metadata -> 'rollup_dimensions' is null$$,
  'every standard metric with events says what its rollups are kept by'
);
select results_eq(
  'select key, numerator, denominator from app.ratio_faults(null) order by key',
  $$values
    ('aov', 'revenue', 'orders'), ('cac', 'ad_spend', 'new_customers'), ('conversion_rate', 'orders', 'sessions'),
    ('cpc', 'ad_spend', 'clicks'), ('ctr', 'clicks', 'impressions'), ('mer', 'revenue', 'ad_spend'),
    ('refund_rate', 'refunds', 'revenue'), ('roas', 'ad_revenue', 'ad_spend')$$,
  'the standard ratios'
);
select is_empty('select from app.ratio_faults(null) where fault is not null', 'every standard ratio can be answered');

-- What a definition may be, as the owner of an organization.
select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
select app.provision_user('bbbbbbbb-0000-4000-8000-000000000001', 'Bolt');
create temporary table org as select slug, id, signup_user_id as owner from public.organizations;
grant select on org to public;

create function pg_temp.claim(p_slug text) returns void language sql as $$
  select set_config(
    'request.jwt.claims',
    (select json_build_object('sub', owner, 'org_id', id, 'user_role', 'owner')::text from org where slug = p_slug),
    true
  )
$$;
-- Adds a definition to the organization of the claims.
create function pg_temp.define(
  p_key text, p_method text default 'sum', p_unit text default 'count', p_metadata jsonb default '{}',
  p_display_name text default 'Own', p_category text default 'own', p_source text default null, p_description text default ''
) returns void language sql as $$
  insert into public.metric_definitions
    (org_id, key, display_name, unit, aggregation_method, category, metadata, source, description)
  values (app.org_id(), p_key, p_display_name, p_unit, p_method, p_category, p_metadata, p_source, p_description)
$$;
create function pg_temp.ratio(p_key text, p_numerator text, p_denominator text, p_unit text default 'ratio')
returns void language sql as $$
  select pg_temp.define(
    p_key, 'ratio', p_unit, jsonb_build_object('numerator', p_numerator, 'denominator', p_denominator)
  )
$$;

set local role authenticated;
select pg_temp.claim('acme');

select lives_ok($$select pg_temp.define('stock', 'last')$$, 'a level');
select throws_ok($$select pg_temp.define('m', 'median')$$, '23514', null, 'no other method');
select throws_ok(
  format('select pg_temp.define(%L, %L, %L, %L)', 'm', d.method, d.unit, d.metadata), '23514',
  'new row for relation "metric_definitions" violates check constraint "metric_definitions_aggregation_method_unit_metadata_check"',
  d.reason
)
from (values
  ('sum', 'ratio', '{}', 'the unit ratio is of ratios only'),
  ('sum', 'count', '{"numerator": "orders"}', 'only a ratio has sides'),
  ('ratio', 'count', '{"numerator": "orders", "denominator": "sessions"}', 'a ratio is no count'),
  ('ratio', 'ratio', '{}', 'a ratio without sides'),
  ('ratio', 'ratio', '{"numerator": "orders"}', 'a ratio without a denominator'),
  ('ratio', 'ratio', '{"denominator": "orders"}', 'a ratio without a numerator'),
  ('ratio', 'ratio', '{"numerator": "orders", "denominator": ["sessions"]}', 'a list is no key'),
  ('ratio', 'ratio', '{"numerator": 7, "denominator": "sessions"}', 'a number is no key'),
  ('ratio', 'ratio', '{"numerator": "orders", "denominator": null}', 'null is no key'),
  ('ratio', 'ratio', '{"numerator": "orders", "denominator": "sessions", "rollup_dimensions": []}', 'a ratio has no rollups')
) as d(method, unit, metadata, reason);

select lives_ok(
  $$select pg_temp.define('wide', 'sum', 'count', '{"rollup_dimensions": ["1", "2", "3", "4", "5", "6", "7", "8"]}')$$,
  'eight dimensions'
);
select throws_ok(
  format('select pg_temp.define(%L, %L, %L, %L)', 'm', 'sum', 'count', jsonb_build_object('rollup_dimensions', d.names)),
  '23514', null, d.reason
)
from (values
  ('["1", "2", "3", "4", "5", "6", "7", "8", "9"]'::jsonb, 'nine dimensions'),
  ('["channel", "channel"]', 'a dimension twice'),
  ('["channel", 7]', 'a dimension that is no text'),
  ('[""]', 'a dimension without a name'),
  (jsonb_build_array(repeat('d', 64)), 'a long name of a dimension'),
  (to_jsonb(array(select n || repeat('d', 51) from generate_series(1, 5) n)), 'names of more than 256 bytes in all'),
  ('{"channel": true}', 'dimensions that are no list'),
  ('null', 'dimensions that are null')
) as d(names, reason);
select throws_ok(
  $$select pg_temp.define('m', 'sum', 'count', jsonb_build_object('note', repeat('n', 5000)))$$, '23514', null, 'large metadata'
);
select throws_ok($$select pg_temp.define(repeat('m', 64))$$, '23514', null, 'a long key');
select throws_ok($$select pg_temp.define('m', p_display_name => repeat('m', 201))$$, '23514', null, 'a long name');
select throws_ok($$select pg_temp.define('m', p_display_name => '')$$, '23514', null, 'no name');
select throws_ok($$select pg_temp.define('m', p_category => repeat('m', 64))$$, '23514', null, 'a long category');
select throws_ok($$select pg_temp.define('m', p_source => repeat('m', 64))$$, '23514', null, 'a long source');
select throws_ok($$select pg_temp.define('m', p_description => repeat('m', 2001))$$, '23514', null, 'a long description');

-- Ratios and what they stand on.
select throws_ok(
  $$select pg_temp.ratio('m', 'orders', 'visits')$$,
  'The ratio m needs the metric visits, which does not exist.', 'a side that does not exist'
);
select throws_ok(
  $$select pg_temp.ratio('m', 'aov', 'sessions')$$, 'The ratio m cannot stand on aov, which is a ratio too.', 'a ratio of a ratio'
);
select throws_ok(
  $$select pg_temp.ratio('m', 'orders', 'm')$$, 'The ratio m cannot stand on m, which is a ratio too.', 'a ratio of itself'
);
select throws_ok(
  $$select pg_temp.ratio('m', 'revenue', 'sessions')$$,
  'The ratio m of revenue (currency) and sessions (count) has the unit currency.', 'the unit follows from the sides'
);
select lives_ok(
  $$select pg_temp.ratio('turnover', 'orders', 'stock'), pg_temp.ratio('value', 'revenue', 'stock', 'currency'),
      pg_temp.ratio('checkout_rate', 'orders', 'checkouts')$$,
  'ratios of a standard metric and an own one, and of two standard ones'
);
select throws_ok(
  $$delete from public.metric_definitions where key = 'stock'$$,
  'The ratio turnover needs the metric stock, which does not exist.', 'what a ratio stands on stays'
);
select throws_ok(
  $$update public.metric_definitions set unit = 'currency' where key = 'stock'$$,
  'The ratio value of revenue (currency) and stock (currency) has the unit ratio.', 'as what it is'
);
select lives_ok(
  $$update public.metric_definitions set metadata = '{"rollup_dimensions": ["shelf"]}' where key = 'stock'$$,
  'what it is rolled up by changes while it has no events'
);
select throws_ok(
  $$update public.metric_definitions set metadata = '{"numerator": "stock", "denominator": "turnover"}' where key = 'turnover'$$,
  'The ratio turnover cannot stand on turnover, which is a ratio too.', 'the sides of a ratio change within the same rules'
);
select throws_ok(
  $$select pg_temp.ratio('orders', 'clicks', 'sessions')$$,
  'The ratio aov cannot stand on orders, which is a ratio too.', 'nor does an own ratio take the place of a standard side'
);
select lives_ok($$select pg_temp.define('orders', 'count')$$, 'an own metric may');
select lives_ok(
  $$delete from public.metric_definitions where key in ('stock', 'turnover', 'value', 'orders')$$, 'all at once, and back to the standard'
);

-- One organization's definitions are nothing to another.
select lives_ok($$select pg_temp.define('mine')$$, 'a metric of Acme');
select pg_temp.claim('bolt');
select throws_ok(
  $$select pg_temp.ratio('m', 'mine', 'sessions')$$,
  'The ratio m needs the metric mine, which does not exist.', 'is none that a ratio of Bolt could stand on'
);
select lives_ok($$select pg_temp.define('m' || n) from generate_series(1, 1000) n$$, 'a thousand definitions');
select throws_ok(
  $$select pg_temp.define('m1001')$$, 'An organization defines at most 1000 metrics.', 'and no more'
);
reset role;

-- The catalogue is judged by itself: no tenant holds up a migration. An organization with its definitions still goes as one.
insert into public.metric_definitions (key, display_name, unit, aggregation_method, category)
  values ('visits', 'Visits', 'count', 'sum', 'traffic');
select set_config('request.jwt.claims', '', true);
insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
  select o.id, d.key, 'Own', d.unit, d.method, 'own', d.metadata
  from org o, (values
    ('rate', 'ratio', 'ratio', '{"numerator": "visits", "denominator": "own"}'::jsonb), ('own', 'count', 'sum', '{}')
  ) as d(key, unit, method, metadata)
  where o.slug = 'acme';
select lives_ok($$delete from public.metric_definitions where org_id is null and key = 'visits'$$, 'a standard metric goes');
select lives_ok($$delete from public.organizations where slug = 'acme'$$, 'an organization goes');

select * from finish();
rollback;
