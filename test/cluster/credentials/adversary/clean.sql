-- Removes what was planted, as a superuser that no trap can catch: everything of the owner's that is newer than the
-- first.
set search_path = pg_catalog;
set client_min_messages = warning;
do $$
declare
  planted record;
  first oid := to_regclass('public.traps');
begin
  if first is null then return; end if;
  for planted in
    select 'routine' as kind, p.oid::regprocedure::text as name from pg_proc as p
     where p.pronamespace = 'public'::regnamespace and p.oid > first and pg_get_userbyid(p.proowner) = 'transcript_user'
    union all
    select case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, c.oid::regclass::text from pg_class as c
     where c.relnamespace = 'public'::regnamespace and c.oid >= first and c.relkind in ('r', 'v', 'm')
       and pg_get_userbyid(c.relowner) = 'transcript_user'
    union all
    select 'type', format('public.%I', t.typname) from pg_type as t
     where t.typnamespace = 'public'::regnamespace and t.oid > first and t.typtype = 'd'
     -- All at once: what a cascade has taken has no name any more.
     order by 1
  loop
    execute format('drop %s if exists %s cascade', planted.kind, planted.name);
  end loop;
  drop type if exists public.bait_type cascade;
  drop schema if exists postgres cascade;
end
$$;
drop role if exists mallory;
