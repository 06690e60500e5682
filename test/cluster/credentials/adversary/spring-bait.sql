-- Touches the bait as an unprotected superuser. What is the owner's expression in an index or in statistics PostgreSQL runs as
-- the owner, whoever asks: that is asserted, too.
begin;
set local adversary.rehearsal = 'on';
set local client_min_messages = warning;
set local search_path = public;
insert into public.bait (id, of_domain) values (2, 2);
update public.bait set id = 3 where id = 2;
set local row_security = on;
select from public.bait;
select from public.bait_view;
select (row(1)::public.bait_type)::text;
reindex table public.bait;
analyze public.bait;
refresh materialized view public.bait_kept;
set local search_path = pg_catalog;
select distinct trap || ' as ' || runs_as from public.sprung order by 1;
rollback;
