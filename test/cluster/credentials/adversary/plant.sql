-- Plants a trap for every name in the variables functions, words and operators (lists separated by spaces) that pg_catalog has. Run
-- by the owner, who may create in public, and in the schema that a superuser's "$user" stands for.
set check_function_bodies = off;
set adversary.functions = :'functions';
set adversary.words = :'words';
set adversary.operators = :'operators';

create function pg_temp.quoted(types oid[]) returns text language sql return
  (select coalesce(string_agg(format_type(type, null), ', ' order by place), '') from unnest(types) with ordinality as t (type, place));
create function pg_temp.nulls(types oid[]) returns text language sql return
  (select coalesce(string_agg(format('null::%s', format_type(type, null)), ', ' order by place), '') from unnest(types) with ordinality as t (type, place));

-- Of the functions that only an administrator calls, some are in the schema that "$user" stands for; never the same one in
-- both, as the one would hide the other. The owner's own sessions must still find one of everything else.
create function pg_temp.place(signature text) returns text language sql return
  case when signature ~ '^pg_' and hashtext(signature) % 3 = 0 then 'postgres' else 'public' end;

-- Types that a superuser's expressions have, most of them those of catalogs' columns.
create temporary table common as
  select t::oid as type, place from unnest('{text,name,int4,oid,bool,"\"char\"",regclass,int8,varchar,int2,regrole,regproc,regprocedure,regtype,regnamespace,regcollation,timestamptz,float8,numeric,text[],name[],oid[],int4[],int2vector,oidvector}'::regtype[]) with ordinality as c (t, place);

-- What a parameter of a type may be given without a cast: itself, what is cast to it implicitly, or, where it takes
-- anything, the common types. The first few are the likeliest.
create temporary table given as
  select declared, type, row_number() over (partition by declared order by type <> declared, place) as place
    from (select t.oid as declared, t.oid as type, 0 as place from pg_type as t where t.typtype <> 'p'
          union
          select c.casttarget, c.castsource, common.place from pg_cast as c join common on common.type = c.castsource
           where c.castcontext = 'i'
          union
          select t.oid, common.type, common.place
            from pg_type as t join common on true
           where t.typname in ('any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray')
             and format_type(common.type, null) !~ '\[\]|vector'
          union
          select t.oid, common.type, common.place
            from pg_type as t join common on true
           where t.typname in ('anyarray', 'anycompatiblearray') and format_type(common.type, null) ~ '\[\]') as g;
create index on given (declared, place);

-- Every way to call one parameter list; of long lists only the likelier types.
create function pg_temp.calls(declared oid[]) returns setof oid[] language plpgsql as $$
declare
  most int := case cardinality(declared) when 0 then 1 when 1 then 25 when 2 then 12 when 3 then 5 when 4 then 3 else 2 end;
begin
  return query
    with recursive call (types) as (
      select '{}'::oid[]
      union all
      select types || given.type from call
        join given on given.declared = calls.declared[cardinality(types) + 1] and given.place <= most
       where cardinality(types) < cardinality(calls.declared))
    select types from call where cardinality(types) = cardinality(calls.declared);
end
$$;

create temporary table functions as
  select p.oid, p.proname, p.proretset, p.prokind, p.prorettype,
         array(select unnest(case when p.provariadic = 0 then p.proargtypes::oid[]
                                  else p.proargtypes[0:p.pronargs - 2]::oid[] || array_fill(p.provariadic, array[extra]) end)) as declared,
         p.provariadic <> 0 as variadic, p.pronargdefaults
    from pg_proc as p, generate_series(case when p.provariadic = 0 then 1 else 0 end, case when p.provariadic = 0 then 1 else 5 end) as extra
   where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind in ('f', 'a')
     and p.proname = any (string_to_array(current_setting('adversary.functions'), ' '))
     and not exists (select from unnest(p.proargtypes) as t join pg_type on pg_type.oid = t
                      where typtype = 'p' and typname !~ '^any(compatible)?(element|nonarray|array)?$' and typname !~ '^anycompatiblenonarray$')
     -- text(x) and the like are casts.
     and not exists (select from pg_type where typname = p.proname)
     and p.prorettype not in ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype, 'event_trigger'::regtype);

-- Types of what a query returns, which is not run.
create function pg_temp.results(query text) returns regtype[] language plpgsql as $$
declare
  types regtype[];
begin
  execute 'prepare probe as ' || query;
  select result_types into types from pg_prepared_statements where name = 'probe';
  deallocate probe;
  return types;
end
$$;

-- Makes one trap, unless its name, called like this, is nothing that PostgreSQL understands. In the definitions <id> is the
-- trap's number and <body> a function's text: after the witness, what pg_catalog's own would do.
create function pg_temp.trap(family text, what text, spring text, own text, ending text, variadic definitions text[]) returns void language plpgsql as $$
declare
  number int;
  definition text;
begin
  insert into public.traps (family, what, spring) values (family, what, spring) returning id into number;
  foreach definition in array definitions loop
    execute replace(replace(definition, '<id>', number::text), '<body>',
                    quote_literal(format('begin if public.witness(%L) then %s end if; %s end', what, own, ending)));
  end loop;
exception when others then
  if current_setting('adversary.loud', true) = 'on' then raise warning '%: %', what, sqlerrm; end if;
end
$$;

-- The parameters of a trap's own call of what it hides.
create function pg_temp.handed_on(types oid[]) returns text language sql return
  (select string_agg('$' || n, ', ') from generate_series(1, cardinality(types)) as n);

-- The columns of a function's result.
create function pg_temp.columns(f oid) returns text language sql return
  (select string_agg(quote_ident(name), ', ' order by place)
     from pg_proc, unnest(proargnames, proargmodes) with ordinality as a (name, mode, place) where pg_proc.oid = f and mode in ('o', 't'));

do $$
declare
  f record;
  types oid[];
  arguments text;
  place name;
  family text;
  springing text;
  results regtype[];
  result text;
begin
  for f in select * from functions order by proname, oid loop
    for types in select distinct on (c) c from pg_temp.calls(f.declared) as c
      union select f.declared where not f.variadic or f.declared <> '{}'
    loop
      -- With the parameters of pg_catalog's own it is found only where pg_catalog is not searched first.
      family := case when exists (select from functions as own where own.proname = f.proname and own.declared = types and not own.variadic)
                     then 'name' else 'signature' end;
      continue when exists (select from unnest(types) as t join pg_type on pg_type.oid = t
                             where typname = 'any' or (f.prokind = 'a' and typtype = 'p'));
      arguments := pg_temp.quoted(types);
      place := pg_temp.place(f.proname || arguments);
      begin
        if family = 'signature' then
          results := pg_temp.results(format(case f.prokind when 'a' then 'select pg_catalog.%I(%s)' else 'select * from pg_catalog.%I(%s)' end, f.proname, pg_temp.nulls(types)));
          continue when cardinality(results) <> 1;
          result := format_type(results[1], null);
        else
          result := format_type(f.prorettype, null);
        end if;
      exception when others then
        continue;
      end;
      springing := pg_temp.nulls(array(
        select case when typname in ('anyarray', 'anycompatiblearray') then 'date[]'::regtype::oid when typtype = 'p' then 'date'::regtype::oid else t end
          from unnest(types) with ordinality as u (t, place) join pg_type on pg_type.oid = t order by u.place));
      if f.prokind = 'a' then
        perform pg_temp.trap(family, format('aggregate %s.%s(%s)', place, f.proname, arguments),
          format('select %I(%s) from (select) as one', f.proname, coalesce(nullif(springing, ''), '*')), '', 'return null;',
          format('create function %I.step_<id>(%s) returns %s language plpgsql as <body>', place, concat_ws(', ', result, nullif(arguments, '')), result),
          format('create aggregate %I.%I(%s) (sfunc = %1$I.step_<id>, stype = %4$s)', place, f.proname, coalesce(nullif(arguments, ''), '*'), result));
        continue;
      end if;
      perform pg_temp.trap(family, format('function %s.%s(%s)', place, f.proname, arguments), format('select %I(%s)', f.proname, springing),
        format(case when result = 'void' then 'perform pg_catalog.%I(%s);'
                    when result = 'record' and not f.proretset then 'select * into ' || pg_temp.columns(f.oid) || ' from pg_catalog.%I(%s); return;'
                    when f.proretset then 'return query select * from pg_catalog.%I(%s);'
                    else 'return pg_catalog.%I(%s);' end, f.proname, pg_temp.handed_on(types)),
        case when result in ('void', 'record') or f.proretset then 'return;' else 'return null;' end,
        format('create function %I.%I(%s) returns %s language plpgsql as <body>', place, f.proname,
               -- With the columns of its result.
               case when result = 'record' then pg_get_function_arguments(f.oid) else arguments end,
               case when f.proretset then 'setof ' else '' end || result));
    end loop;
  end loop;
end
$$;

-- Operators: for all pairs of common types that pg_catalog's operators take but none takes as it is.
do $$
declare
  o record;
  results regtype[];
  result text;
  place name;
begin
  for o in
    select name, l, r, exists (select from pg_operator where oprname = name and oprleft = l and oprright = r) as own
      from (select distinct oprname as name, l.type as l, r.type as r
              from pg_operator join given as l on l.declared = oprleft join given as r on r.declared = oprright
             where oprnamespace = 'pg_catalog'::regnamespace and oprname = any (string_to_array(current_setting('adversary.operators'), ' '))
               and l.type in (select type from common) and r.type in (select type from common)) as named
  loop
    begin
      results := pg_temp.results(format('select null::%s operator(pg_catalog.%s) null::%s', format_type(o.l, null), o.name, format_type(o.r, null)));
      result := format_type(results[1], null);
    exception when others then
      continue;
    end;
    place := 'public';
    perform pg_temp.trap(case when o.own then 'name' else 'signature' end,
      format('operator %s.%s (%s, %s)', place, o.name, format_type(o.l, null), format_type(o.r, null)),
      format('select null::%s %s null::%s', format_type(o.l, null), o.name, format_type(o.r, null)),
      format('return $1 operator(pg_catalog.%s) $2;', o.name), 'return null;',
      format('create function %I.operator_<id>(%s, %s) returns %s language plpgsql as <body>', place, format_type(o.l, null), format_type(o.r, null), result),
      format('create operator %I.%s (leftarg = %s, rightarg = %s, function = %I.operator_<id>)', place, o.name, format_type(o.l, null), format_type(o.r, null), place));
  end loop;
end
$$;

-- Relations and types: of the same name, and the same shape.
do $$
declare
  r record;
begin
  for r in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
              and relname = any (string_to_array(current_setting('adversary.words'), ' '))
  loop
    perform pg_temp.trap('name', format('relation public.%s', r.relname), format('select from %I', r.relname), '', '',
      format('create view public.%I with (security_invoker) as select * from pg_catalog.%1$I where (select public.witness(%L)) is not null', r.relname, format('relation public.%s', r.relname)));
  end loop;
  for r in select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b' and typname !~ '^_'
              and typname = any (string_to_array(current_setting('adversary.words'), ' '))
  loop
    perform pg_temp.trap('name', format('type public.%s', r.typname), format('select null::%I', r.typname), '', '',
      format('create domain public.%I as pg_catalog.%1$I check (public.witness(%L) is not null)', r.typname, format('type public.%s', r.typname)));
  end loop;
end
$$;
