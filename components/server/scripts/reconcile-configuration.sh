# Part of reconcile.sh, whose functions it uses: a server that runs without the deployed configuration, because
# PostgreSQL refused it (last-started.sh). The log says so at once and again every ten minutes, and the server takes the
# corrected files by a reload, if a reload is enough.

# Seconds until a server that runs without its configuration is mentioned again.
remind=600
reminded=0
# The link of the ConfigMap that was tried last.
configuration_tried=

# turn <link> <target>: atomically. These links lead to the server's configuration while it runs without the deployed
# one.
turn() { ln -s "$2" "$state/$1.new" && mv -T "$state/$1.new" "$state/$1"; }

# complaint_about_files: why the server would not start with the deployed files, or could not load who may connect; in
# one line. Asks the program where that is possible; a running server takes no setting that needs a restart.
complaint_about_files() {
  local said
  # The file that ALTER SYSTEM writes is not checked here.
  mkdir -p "$state/no-database" && : >"$state/no-database/postgresql.auto.conf"
  if ! said=$(postgres -D "$state/no-database" -c config_file=/etc/postgresql/postgresql.conf -C config_file 2>&1 >/dev/null); then
    grep -oE '(LOG|ERROR|FATAL|HINT|DETAIL): .*' <<<"$said" | sed -E 's/^[A-Z]+: +//' | head -n 6 | tr '\n' ' '
    return 0
  fi
  administer -At -f - <<'SQL'
select string_agg(format('%s line %s: %s', regexp_replace(file, '.*/', ''), line, error), '; ')
  from (select file_name, line_number, error from pg_hba_file_rules
        union all
        select file_name, line_number, error from pg_ident_file_mappings) as lines (file, line, error)
 where error is not null;
SQL
}

# take_up_configuration: uses the deployed files instead of those that the server was started with. If they are wrong
# too, nothing changes: files that cannot be read are not loaded, and the links are switched back.
take_up_configuration() {
  local settings access complaint waiting
  settings=$(readlink "$state/configuration") && access=$(readlink "$state/access") || return 1
  turn configuration /etc/postgresql && turn access /etc/postgresql || return 1
  if ! complaint=$(complaint_about_files 2>"$state/errors"); then
    turn configuration "$settings" && turn access "$access"
    return 1
  fi
  if [ -n "$complaint" ]; then
    turn configuration "$settings" && turn access "$access"
    said configuration "the corrected configuration is refused as well, and the server runs as before: $complaint. See docs/refused-configuration.md"
    return 0
  fi
  administer -c 'select pg_reload_conf()' >/dev/null 2>&1 || return 1
  sleep 1
  waiting=$(administer -At -c "select string_agg(name, ', ') from pg_settings where pending_restart" 2>/dev/null) || return 1
  rm -f "$state/refused-configuration" "$state/refused-link"
  already["configuration"]=
  say "the deployed configuration is in force${waiting:+, except for what needs a restart: $waiting}"
}

# reconcile_configuration: does nothing if the server runs with what is deployed.
reconcile_configuration() {
  local link refused
  [ -s "$state/refused-configuration" ] || return 0
  if [ "$elapsed" -ge "$reminded" ]; then
    already["refused configuration"]=
    reminded=$((elapsed + remind))
  fi
  said "refused configuration" "CONFIGURATION REFUSED: $(cat "$state/refused-configuration"). See docs/refused-configuration.md"
  link=$(readlink /etc/postgresql/..data) && refused=$(cat "$state/refused-link") || return 0
  if [ "$link" = "$refused" ] || [ "$link" = "$configuration_tried" ]; then return 0; fi
  accepts || return 0
  if take_up_configuration; then configuration_tried=$link; fi
}
