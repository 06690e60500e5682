-- A table of the owner's with everything that runs when somebody else touches it. Run by the owner, after plant.sql.
create function nothing_to_fire() returns trigger language plpgsql as 'begin return new; end';
create function taker_of_names(name) returns oid language sql as 'select 1::oid';

create function bait_trigger() returns trigger language plpgsql as $$
begin perform public.witness('trigger'); return coalesce(new, old); end $$;
-- Says immutable, as an index or a generated column requires.
create function bait_value(what text) returns text language plpgsql immutable as $$
begin perform public.witness(what); return what; end $$;
create domain bait_domain as int check (public.witness('domain') is not null);

create table bait (
  id int,
  by_default text default bait_value('default'),
  of_domain bait_domain,
  in_generated text generated always as (bait_value('generated column')) stored,
  checked int check (bait_value('check constraint') is not null)
);
create trigger planted before insert or update or delete on bait for each row execute function bait_trigger();
create rule planted as on insert to bait do also select bait_value('rule');
alter table bait enable row level security, force row level security;
create policy planted on bait using (bait_value('policy') is not null) with check (true);
create view bait_view as select id, bait_value('view') from bait;
create materialized view bait_kept as select bait_value('materialized view') as value with no data;
create type bait_type as (id int);
create function bait_cast(bait_type) returns text language plpgsql as $$
begin perform public.witness('cast'); return ''; end $$;
create cast (bait_type as text) with function bait_cast(bait_type) as implicit;
insert into bait (id, of_domain) values (1, 1);
create index on bait (bait_value('index expression')) where bait_value('index condition') is not null;
create statistics bait_statistics on (bait_value('statistics')), id from bait;
-- What the upgrade rebuilds, once its collation looks outdated.
create collation bait_order (provider = icu, locale = 'en');
create index on bait ((bait_value('index expression')) collate bait_order);
