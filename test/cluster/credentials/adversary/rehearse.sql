-- Springs every trap in one session of an unprotected superuser, which the settings of this transaction make of it. Nothing
-- of it stays. Answers with the traps that did not spring, or not as a superuser.
begin;
set local adversary.rehearsal = 'on';
set local client_min_messages = warning;
set local search_path = "$user", public;
do $$
declare
  trap record;
begin
  -- Nothing here uses an operator or an unqualified function: it would spring.
  for trap in select spring, case when family operator(pg_catalog.=) 'name' then '"$user", public, pg_catalog' else '"$user", public' end as path from public.traps loop
    perform pg_catalog.set_config('search_path', trap.path, true);
    begin
      execute trap.spring;
    exception when others then raise warning '%: %', trap.spring, sqlerrm;
    end;
  end loop;
end
$$;
set local search_path = pg_catalog;
select what || ': ' || spring from public.traps
 where not exists (select from public.sprung where trap = what and super and login = session_user);
rollback;
