-- The partitions of this month and the next two, so that the first event finds its own.

set role tally_owner;

select app.ensure_partitions();

reset role;
