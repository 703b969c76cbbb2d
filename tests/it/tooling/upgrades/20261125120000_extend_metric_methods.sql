-- The kinds of definitions that are new.

insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
values
  ('11111111-0000-4000-8000-000000000001', 'customers', 'Customers', 'count', 'distinct', 'customers',
   '{"distinct_dimension": "customer", "rollup_dimensions": ["channel"]}'),
  ('11111111-0000-4000-8000-000000000001', 'typical_order', 'Typical order', 'currency', 'percentile', 'sales',
   '{"percentile": "0.5"}'),
  ('11111111-0000-4000-8000-000000000001', 'worth', 'Worth of a customer', 'currency', 'formula', 'customers',
   '{"formula": "revenue / customers"}');
