# Part of reconcile.sh, whose functions it uses: keeps the database as the Secret `postgres-logins` says.
# The Secret has one of two forms: the key `credentials`, each line of which is `<kind> <login> <password>`; or, where
# each value is encrypted for itself, the key `form` and for each login the key `<kind>.<login>` with its password.

# The logins besides the owner's. Each is a member of one group role of the bootstrap and of nothing else; the comment
# on a role marks those created here, and no other is ever touched.

logins=/etc/credentials/logins
mark="managed by transcript-pipeline"
logins_applied=
logins_tried=
logins_again=0
logins_output=

# wanted_logins: a line for each login, `<kind> <login> <password>`, from either form. Fails if the Secret has neither: an
# optional Secret that is gone leaves an empty folder, which must not retire every login.
wanted_logins() {
  local key password line own=' '
  if [ -e "$logins/form" ]; then
    for key in "$logins"/*.*; do
      [ -e "$key" ] || continue
      password=$(cat "$key") || return 1
      key=${key##*/}
      own+="${key#*.} "
      # A line break is refused later as what it is, and must not begin a line here.
      printf '%s %s %s\n' "${key%%.*}" "${key#*.}" "${password//$'\n'/$'\r'}"
    done
    [ -e "$logins/credentials" ] || return 0
  fi
  # A Secret with both, which somebody has edited: a login has one password.
  while IFS= read -r line || [ -n "$line" ]; do
    read -r _ key _ <<<"$line"
    [[ $own == *" $key "* ]] || printf '%s\n' "$line"
  done <"$logins/credentials"
}

# on_login <login> <group>: the superuser's psql with both as variables. Reports errors.
on_login() {
  administer -At -v login="$1" -v group="$2" -v mark="$mark" -f - 2>"$state/errors" || {
    say "login $1: $(tail -n 1 "$state/errors")"
    return 1
  }
}

# look_at_login <login> <group>: early (no such group yet), new, foreign, right or wrong.
look_at_login() {
  on_login "$@" <<'SQL'
select case
         when not exists (select from pg_roles where rolname = :'group') then 'early'
         when login.oid is null then 'new'
         when shobj_description(login.oid, 'pg_authid') is distinct from :'mark' then 'foreign'
         when login.rolcanlogin and login.rolinherit
              and not (login.rolsuper or login.rolcreatedb or login.rolcreaterole or login.rolreplication
                       or login.rolbypassrls or login.rolvaliduntil < 'infinity')
              and (select count(*) = 1
                          and bool_and(pg_get_userbyid(roleid) = :'group' and inherit_option
                                       and not set_option and not admin_option)
                     from pg_auth_members where member = login.oid) then 'right'
         else 'wrong'
       end
  from (select) as always left join pg_roles as login on login.rolname = :'login';
SQL
}

make_login() {
  on_login "$@" >/dev/null <<'SQL'
begin;
set local client_min_messages = warning;
select format('create role %I', :'login') where not exists (select from pg_roles where rolname = :'login') \gexec
comment on role :"login" is :'mark';
select format('revoke %I from %I granted by %I cascade', pg_get_userbyid(roleid), :'login', pg_get_userbyid(grantor))
  from pg_auth_members where member = :'login'::regrole \gexec
grant :"group" to :"login" with admin false, inherit true, set false;
alter role :"login" login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls valid until 'infinity';
commit;
SQL
}

# end_sessions <login>: all of them, and waits until they are gone.
end_sessions() {
  on_login "$1" "" >/dev/null <<'SQL'
select pg_terminate_backend(pid) from pg_stat_activity where usename = :'login';
select pg_terminate_backend(pid, 2000) from pg_stat_activity where usename = :'login';
SQL
}

# retire_login <login>: it may own objects, so it is not dropped. A transaction of its own that has changed the role
# blocks every other change to it, so its sessions end first, and again afterwards: it may have come back.
retire_login() {
  end_sessions "$1" || return 1
  on_login "$1" "" >/dev/null <<'SQL' || return 1
begin;
alter role :"login" nologin password null;
select format('revoke %I from %I granted by %I cascade', pg_get_userbyid(roleid), :'login', pg_get_userbyid(grantor))
  from pg_auth_members where member = :'login'::regrole \gexec
commit;
SQL
  end_sessions "$1" || return 1
  say "login $1 is no longer in the Secret: it can no longer log in, and is a member of nothing"
}

# retired_logins <owner> <wanted...>: logins created here, no longer wanted, that can still do something.
retired_logins() {
  administer -At -v mark="$mark" -v owner="$1" -v wanted="${*:2}" -f - <<'SQL'
select rolname from pg_authid
 where shobj_description(oid, 'pg_authid') = :'mark'
   and rolname not in ('postgres', :'owner') and rolname <> all (string_to_array(:'wanted', ' '))
   and (rolcanlogin or rolpassword is not null or exists (select from pg_auth_members where member = pg_authid.oid));
SQL
}

# ensure_login <kind> <login> <password> <database>. 2: its group does not exist yet.
ensure_login() {
  local group=transcripts_$1 found
  found=$(look_at_login "$2" "$group") || {
    echo "$found"
    return 1
  }
  case $found in
  early) return 2 ;;
  foreign)
    say "login $2: a role of that name was not made here, and is left alone. To hand it over: comment on role $2 is '$mark'"
    return 1
    ;;
  new | wrong)
    # The password without checking the old one: for a role that has none, the server logs each attempt.
    make_login "$2" "$group" && set_password "$2" "$3" || return 1
    say "login $2 is a member of $group"
    ;;
  esac
  ensure_session_settings "$2" "$1" && ensure_password "$2" "$3" "$4"
}

# apply_logins: an error with one login does not stop the others. 0: all is as the Secret says. 1: something is not. 2:
# nothing is wrong, but the groups do not exist yet: the init Job creates them, once the server is ready.
apply_logins() {
  local owner database text lines=() line kind login retired wanted=() early= failed=
  owner=$(cat /etc/credentials/owner/POSTGRES_USER)
  database=$(cat /etc/credentials/owner/POSTGRES_DB)
  text=$(wanted_logins) || return 1
  [ -z "$text" ] || mapfile -t lines <<<"$text"
  for line in "${lines[@]}"; do
    read -r kind login _ <<<"$line"
    wanted+=("$login")
  done
  retired=$(retired_logins "$owner" "${wanted[@]}") || failed=1
  for login in $retired; do
    touch "$state/heartbeat"
    retire_login "$login" || failed=1
  done
  for line in "${lines[@]}"; do
    touch "$state/heartbeat"
    read -r kind login _ <<<"$line"
    local refusal
    refusal=$(refusal_of_password "${line#* * }")
    if [ -n "$refusal" ]; then
      say "login $login: its password $refusal; the login was not changed"
      failed=1
      continue
    fi
    if [[ ! $kind =~ ^(readwrite|readonly|monitoring)$ || ! $login =~ ^[a-z_][a-z0-9_]{0,62}$ ||
      $login =~ ^(pg_|transcripts_|postgres$) || $login = "$owner" ]]; then
      say "login $login: a line of the Secret is not <kind> <login> <password>, and is ignored"
      failed=1
      continue
    fi
    ensure_login "$kind" "$login" "${line#* * }" "$database"
    case $? in
    0) ;;
    2) early=1 ;;
    *) failed=1 ;;
    esac
  done
  [ -z "$failed" ] || return 1
  [ -z "$early" ] || return 2
}

# reconcile_logins: reports changes, so that a login that cannot be created, or not yet, does not fill the log.
reconcile_logins() {
  local wanted output result
  wanted=$({ cat "$SUPERUSER_SOCKET/.s.PGSQL.5432.lock" "$sessions" && wanted_logins; } 2>/dev/null | cksum) || return
  [ "$wanted" != "$logins_applied" ] || return
  [ "$wanted" != "$logins_tried" ] || [ "$elapsed" -ge "$logins_again" ] || return
  accepts || return
  output=$(apply_logins)
  result=$?
  logins_tried=$wanted
  [ -z "$output" ] || [ "$output" = "$logins_output" ] || echo "$output"
  logins_output=$output
  # Waiting for the groups is not a refusal.
  if [ "$result" = 1 ]; then printf '%s' "${output:-not known}" >"$state/refused-logins"; else : >"$state/refused-logins"; fi
  case $result in
  0)
    logins_applied=$wanted
    said "waiting logins" ""
    ;;
  2)
    logins_again=0
    said "waiting logins" "the logins wait for the init Job, which creates their groups"
    ;;
  *) logins_again=$((elapsed + 30)) ;;
  esac
}
