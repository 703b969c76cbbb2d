-- Definitions: the standard catalogue is sound, an organization's own are bounded, and no ratio and no formula is left that cannot
-- be answered.

begin;
select plan(116);

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
  $$select key, metadata ->> 'numerator', metadata ->> 'denominator' from public.metric_definitions
      where org_id is null and aggregation_method = 'ratio' order by key$$,
  $$values
    ('aov', 'revenue', 'orders'), ('cac', 'ad_spend', 'new_customers'), ('conversion_rate', 'orders', 'sessions'),
    ('cpc', 'ad_spend', 'clicks'), ('ctr', 'clicks', 'impressions'), ('mer', 'revenue', 'ad_spend'),
    ('refund_rate', 'refunds', 'revenue'), ('roas', 'ad_revenue', 'ad_spend')$$,
  'the standard ratios'
);
select is_empty('select from app.definition_faults(null)', 'every standard ratio can be answered');

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
create function pg_temp.formula(p_key text, p_formula text, p_unit text default 'count') returns void language sql as $$
  select pg_temp.define(p_key, 'formula', p_unit, jsonb_build_object('formula', p_formula))
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
  ('sum', 'ratio', '{}', 'the unit ratio is of ratios and formulas only'),
  ('sum', 'count', '{"numerator": "orders"}', 'only a ratio has sides'),
  ('sum', 'count', '{"formula": "orders"}', 'only a formula has one'),
  ('avg', 'count', '{"percentile": "0.5"}', 'only a percentile has a share'),
  ('count', 'count', '{"distinct_dimension": "customer"}', 'only distinct counts the values of a dimension'),
  ('formula', 'count', '{}', 'a formula without one'),
  ('formula', 'count', '{"formula": ["orders"]}', 'a list is no formula'),
  ('formula', 'count', jsonb_build_object('formula', repeat('o', 1001))::text, 'a long formula'),
  ('formula', 'count', '{"formula": "orders", "rollup_dimensions": []}', 'a formula has no rollups'),
  ('formula', 'count', '{"formula": "orders", "numerator": "orders"}', 'nor sides'),
  ('distinct', 'count', '{}', 'distinct without a dimension'),
  ('distinct', 'count', '{"distinct_dimension": ""}', 'a dimension to count without a name'),
  ('distinct', 'count', '{"distinct_dimension": 7}', 'a dimension to count that is no text'),
  ('distinct', 'count', jsonb_build_object('distinct_dimension', repeat('d', 64))::text, 'a dimension to count of a long name'),
  ('distinct', 'currency', '{"distinct_dimension": "customer"}', 'what is counted is no money'),
  ('distinct', 'count', '{"distinct_dimension": "customer", "percentile": "0.5"}', 'nor has it a share'),
  ('percentile', 'count', '{}', 'a percentile without a share'),
  ('percentile', 'ratio', '{"percentile": "0.5"}', 'a percentile is no quotient'),
  ('percentile', 'count', '{"percentile": 0.5}', 'a share that is no text'),
  ('percentile', 'count', '{"percentile": "0"}', 'a share of nothing'),
  ('percentile', 'count', '{"percentile": "0.000000"}', 'a share of nothing, written out'),
  ('percentile', 'count', '{"percentile": "1"}', 'a share of all'),
  ('percentile', 'count', '{"percentile": "1.5"}', 'a share of more than all'),
  ('percentile', 'count', '{"percentile": "0.1234567"}', 'a share of seven places'),
  ('percentile', 'count', '{"percentile": "5e-1"}', 'a share with an exponent'),
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
  $$select
      pg_temp.define('customers', 'distinct', 'count', '{"distinct_dimension": "customer", "rollup_dimensions": ["channel"]}'),
      pg_temp.define('slow', 'percentile', 'count', '{"percentile": "0.95", "rollup_dimensions": ["channel"]}'),
      pg_temp.define('large', 'percentile', 'currency', '{"percentile": "0.000001"}')$$,
  'different values, and percentiles'
);
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

-- Formulas.
select is(app.formula_program(f.formula), f.program::text[], f.formula)
from (values
  ('orders', '{orders}'),
  ('(gross_revenue - discounts - refunds) / orders', '{gross_revenue,discounts,-,refunds,-,orders,/}'),
  ('a + b * c / d - e', '{a,b,c,*,d,/,+,e,-}'),
  ('-a * -(b + 1.50) - --c', '{a,~,b,1.50,+,~,*,c,~,~,-}'),
  ('neg -2*n2 ', '{neg,2,n2,*,-}'),
  (repeat('x', 63) || '/123456789012345678.123456789012', '{' || repeat('x', 63) || ',123456789012345678.123456789012,/}'),
  (null, null)
) as f(formula, program);
select is(app.formula_program(E' a\t-\r\nb '), '{a,b,-}', 'white space');
select throws_ok(
  format('select app.formula_program(%L)', f.formula), 'TH023',
  format('The formula is wrong at character %s: %s.', f.position, f.fault), f.formula
)
from (values
  ('', 1, 'a value is needed at the end'),
  ('a b', 3, 'an operator is needed before b'),
  ('a (b)', 3, 'an operator is needed before ('),
  ('2a', 2, 'an operator is needed before a'),
  ('a * / b', 5, 'a value is needed before /'),
  ('+a', 1, 'a value is needed before +'),
  ('a -', 4, 'a value is needed at the end'),
  ('(a', 3, 'a parenthesis is not closed'),
  ('a)', 2, 'no parenthesis is open'),
  ('()', 2, 'a value is needed before )'),
  ('1 + 2', 6, 'it names no metric'),
  ('Orders', 1, '''O'' is no part of a formula'),
  ('a + .5', 5, '''.'' is no part of a formula'),
  ('a; drop', 2, ''';'' is no part of a formula'),
  ('a ~ b', 3, '''~'' is no part of a formula'),
  ('a − b', 3, '''−'' is no part of a formula'),
  (repeat('x', 64), 1, 'a key has at most 63 characters'),
  ('a * 1234567890123456789', 5, 'a number has at most 18 digits before the point and 12 after it'),
  ('a * 0.1234567890123', 5, 'a number has at most 18 digits before the point and 12 after it'),
  (repeat('a+', 25) || 'a', 51, 'there are more than 50 numbers, keys and signs'),
  ((select string_agg('k' || n, '+') from generate_series(1, 21) n), 75, 'it names more than 20 metrics')
) as f(formula, position, fault);

-- Ratios and formulas, and what they stand on.
select throws_ok(
  $$select pg_temp.ratio('m', 'orders', 'visits')$$,
  'The ratio m needs the metric visits, which does not exist.', 'a side that does not exist'
);
select throws_ok(
  $$select pg_temp.formula('m', 'orders - visits')$$,
  'The formula m needs the metric visits, which does not exist.', 'a part that does not exist'
);
select throws_ok($$select pg_temp.formula('m', 'orders -')$$, 'TH023', null, 'no formula at all');
select throws_ok($$select pg_temp.ratio('m', 'orders', 'm')$$, 'The ratio m stands on itself.', 'a ratio of itself');
select throws_ok(
  $$select pg_temp.ratio('m', 'revenue', 'sessions')$$,
  'The ratio m of revenue (currency) and sessions (count) has the unit currency.', 'the unit follows from the sides'
);
select throws_ok(
  $$select pg_temp.ratio('m', 'aov', 'aov', 'currency')$$,
  'The ratio m of aov (currency) and aov (currency) has the unit ratio.', 'of derived sides too'
);
select throws_ok(
  $$select pg_temp.formula('m', 'orders / sessions', 'currency')$$,
  'The formula m is no money, since it stands on none.', 'no money comes of none'
);
select lives_ok(
  $$select pg_temp.ratio('turnover', 'orders', 'stock'), pg_temp.ratio('value', 'revenue', 'stock', 'currency'),
      pg_temp.ratio('checkout_rate', 'orders', 'checkouts'), pg_temp.ratio('worth', 'aov', 'turnover', 'currency'),
      pg_temp.formula('kept', '(gross_revenue - discounts - refunds) / orders', 'currency'),
      pg_temp.formula('score', '100 * kept / worth', 'ratio'), pg_temp.formula('loyal', 'customers / 2')$$,
  'ratios and formulas of standard metrics and own ones, and of one another'
);
select throws_ok(
  $$update public.metric_definitions set metadata = '{"formula": "score + 1"}' where key = 'kept'$$,
  'The formula kept stands on itself.', 'a circle'
);
select throws_ok(
  $$select pg_temp.define('orders', 'formula', 'count', '{"formula": "aov * 2"}')$$,
  'The formula orders stands on itself.', 'a circle by way of a standard ratio'
);
select throws_ok(
  $$delete from public.metric_definitions where key = 'stock'$$,
  'The ratio turnover needs the metric stock, which does not exist.', 'what a ratio stands on stays'
);
select throws_ok(
  $$delete from public.metric_definitions where key = 'kept'$$,
  'The formula score needs the metric kept, which does not exist.', 'and what a formula does'
);
select throws_ok(
  $$update public.metric_definitions set unit = 'currency' where key = 'stock'$$,
  'The ratio value of revenue (currency) and stock (currency) has the unit ratio.', 'as what it is'
);
select lives_ok(
  $$update public.metric_definitions set metadata = '{"rollup_dimensions": ["shelf"]}' where key = 'stock'$$,
  'what it is rolled up by changes'
);
select throws_ok(
  $$update public.metric_definitions set metadata = '{"numerator": "stock", "denominator": "turnover"}' where key = 'turnover'$$,
  'The ratio turnover stands on itself.', 'the sides of a ratio change within the same rules'
);
select lives_ok($$select pg_temp.define('orders', 'count')$$, 'an own metric takes the place of a standard side');
select lives_ok(
  $$update public.metric_definitions set aggregation_method = 'formula', metadata = '{"formula": "clicks + sessions"}'
      where key = 'orders'$$,
  'and so may a formula'
);
select lives_ok(
  $$delete from public.metric_definitions
      where key in ('stock', 'turnover', 'value', 'worth', 'kept', 'score', 'orders')$$,
  'all at once, and back to the standard'
);
-- A formula that is written out in the next one, and so on.
create function pg_temp.tower(p_name text, p_formula text, p_height integer) returns void language sql as $$
  select pg_temp.formula(p_name || n, case n when 1 then 'orders' else replace(p_formula, '?', p_name || n - 1) end)
  from generate_series(1, p_height) n
$$;
select lives_ok($$select pg_temp.tower('deep', '?', 8)$$, 'eight deep');
select throws_ok($$select pg_temp.formula('deep9', 'deep8')$$, 'The formula deep9 is more than 8 deep.', 'and no deeper');
select lives_ok($$select pg_temp.tower('long', '? + ? + ?', 6)$$, 'a formula of 485 tokens when it is written out');
select throws_ok(
  $$select pg_temp.formula('long7', 'long6 + long6 + long6')$$,
  'The formula long7 has more than 1000 tokens when all that it stands on is written out.', 'and none of three times as many'
);
select lives_ok(
  $$select pg_temp.define('base' || n) from generate_series(1, 21) n;
    select pg_temp.formula('half', 'base1 + base2 + base3 + base4 + base5 + base6 + base7 + base8 + base9 + base10 + base11');
    select pg_temp.formula('other', 'base11 + base12 + base13 + base14 + base15 + base16 + base17 + base18 + base19 + base20');
    select pg_temp.formula('whole', 'half / other')$$,
  'twenty metrics with events'
);
select throws_ok(
  $$select pg_temp.formula('more', 'whole - base21')$$,
  'The formula more stands on more than 20 metrics that have events.', 'and no more'
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
