-- The revenue of a chart from the events, as it would be asked for without rollups. The words in braces are put in as literals, so
-- that the statement is planned once, for the partitions that hold the range.
select date_trunc('{granularity}', e.recorded_at at time zone '{timezone}')::text as bucket, sum(e.value)::text as revenue
from public.metric_events e
where e.org_id = '{org_id}' and e.store_id = '{store_id}' and e.metric_key = 'revenue'
  and e.recorded_at >= timestamptz '{from} 00:00 {timezone}' and e.recorded_at < timestamptz '{to} 00:00 {timezone}'
group by date_trunc('{granularity}', e.recorded_at at time zone '{timezone}')
order by date_trunc('{granularity}', e.recorded_at at time zone '{timezone}')
