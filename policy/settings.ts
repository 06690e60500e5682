/**
 * PostgreSQL 16's settings as the pack knows them: those that may be set, and those that may only be set to some
 * values without a declaration. What stands here nowhere is refused.
 */

const ON = /^(on|t|tr|tru|true|y|ye|yes|1)$/i;
const OFF = /^(off|of|f|fa|fal|fals|false|n|no|0)$/i;
const EMPTY = /^$/;

/** Why a setting is watched. */
export type Danger = "program" | "place" | "durability" | "log" | "access";

/** What follows from a setting of each sort. */
export const DANGERS: Readonly<Record<Danger, string>> = {
  program: "has the server run a program, or load a library",
  place: "has the server read or write at a place of its own choice",
  durability: "weakens what keeps committed rows",
  log: "writes statements to the log, passwords in them",
  access: "opens what the server keeps closed",
};

interface Watched {
  danger: Danger;
  /** Values that need no declaration. */
  safe: RegExp;
}

const NEVER = /^(?!)/;
const watched = (danger: Danger, settings: Readonly<Record<string, RegExp>>): [string, Watched][] =>
  Object.entries(settings).map(([name, safe]) => [name, { danger, safe }]);

/** Settings that need a declaration, unless they have one of these values. */
export const WATCHED: ReadonlyMap<string, Watched> = new Map([
  ...watched("program", {
    archive_command: EMPTY,
    archive_cleanup_command: EMPTY,
    restore_command: EMPTY,
    recovery_end_command: EMPTY,
    ssl_passphrase_command: EMPTY,
    ssl_passphrase_command_supports_reload: OFF,
    archive_library: EMPTY,
    archive_mode: OFF,
    shared_preload_libraries: /^pg_stat_statements(\s*,\s*(vector|auto_explain))*$/,
    session_preload_libraries: EMPTY,
    local_preload_libraries: EMPTY,
    dynamic_library_path: /^\$libdir$/,
    jit_provider: /^llvmjit$/,
    jit_debugging_support: OFF,
    jit_dump_bitcode: OFF,
    jit_profiling_support: OFF,
    backtrace_functions: EMPTY,
    debug_discard_caches: /^0$/,
    debug_logical_replication_streaming: /^buffered$/,
  }),
  ...watched("place", {
    data_directory: NEVER,
    config_file: NEVER,
    hba_file: /^\/etc\/postgresql\/pg_hba\.conf$/,
    ident_file: /^\/etc\/postgresql\/pg_ident\.conf$/,
    external_pid_file: EMPTY,
    unix_socket_directories:
      /^(\/var\/run\/postgresql|\/var\/lib\/postgresql\/data(\/[\w-]+)?)(\s*,\s*(\/var\/run\/postgresql|\/var\/lib\/postgresql\/data(\/[\w-]+)?))*$/,
    log_directory: NEVER,
    log_filename: NEVER,
    log_file_mode: NEVER,
    log_destination: /^stderr$/,
    logging_collector: OFF,
    event_source: NEVER,
    syslog_facility: NEVER,
    syslog_ident: NEVER,
    ssl_ca_file: EMPTY,
    ssl_cert_file: NEVER,
    ssl_key_file: NEVER,
    ssl_crl_file: EMPTY,
    ssl_crl_dir: EMPTY,
    ssl_dh_params_file: EMPTY,
    krb_server_keyfile: NEVER,
    default_tablespace: EMPTY,
    temp_tablespaces: EMPTY,
    default_table_access_method: /^heap$/,
    timezone_abbreviations: /^(Default|Australia|India)$/,
    "auto_explain.log_format": /^(text|json|xml|yaml)$/,
    primary_conninfo: EMPTY,
    primary_slot_name: EMPTY,
    synchronous_standby_names: EMPTY,
    recovery_target: EMPTY,
    recovery_target_action: NEVER,
    recovery_target_inclusive: NEVER,
    recovery_target_lsn: EMPTY,
    recovery_target_name: EMPTY,
    recovery_target_time: EMPTY,
    recovery_target_timeline: /^latest$/,
    recovery_target_xid: EMPTY,
    recovery_min_apply_delay: /^0$/,
    bonjour: OFF,
    bonjour_name: EMPTY,
    listen_addresses: /^(\*|localhost|127\.0\.0\.1|0\.0\.0\.0)$/,
    port: /^5432$/,
  }),
  ...watched("durability", {
    fsync: ON,
    full_page_writes: ON,
    // Without a standby each of these waits for the disk.
    synchronous_commit: /^(on|true|yes|1|local|remote_write|remote_apply)$/i,
    wal_level: /^(replica|logical)$/,
    wal_sync_method: /^(fdatasync|fsync|open_datasync|open_sync)$/,
    wal_consistency_checking: EMPTY,
    debug_io_direct: EMPTY,
    data_sync_retry: OFF,
    restart_after_crash: ON,
    recovery_init_sync_method: /^fsync$/,
    zero_damaged_pages: OFF,
    ignore_checksum_failure: OFF,
    ignore_invalid_pages: OFF,
    ignore_system_indexes: OFF,
    allow_in_place_tablespaces: OFF,
    autovacuum: ON,
    // In seconds; a day of naps is hardly better than off.
    autovacuum_naptime: /^(\d{1,4}s?|\d{1,2}min)$/,
    // Without the counts autovacuum knows of nothing to do.
    track_counts: ON,
    autovacuum_freeze_max_age: /^\d{5,9}$/,
    autovacuum_multixact_freeze_max_age: /^\d{5,9}$/,
    vacuum_failsafe_age: /^\d{1,10}$/,
    vacuum_multixact_failsafe_age: /^\d{1,10}$/,
    old_snapshot_threshold: /^-1$/,
    hot_standby_feedback: OFF,
    session_replication_role: /^origin$/,
    default_transaction_read_only: OFF,
    max_prepared_transactions: /^0$/,
    exit_on_error: OFF,
    remove_temp_files_after_crash: ON,
    send_abort_for_crash: OFF,
    send_abort_for_kill: OFF,
  }),
  ...watched("log", {
    log_statement: /^none$/,
    log_min_duration_statement: /^-1$/,
    log_min_duration_sample: /^-1$/,
    log_transaction_sample_rate: /^0(\.0+)?$/,
    log_min_error_statement: /^(error|log|fatal|panic)$/,
    log_min_messages: /^(warning|notice|info|error|log|fatal|panic)$/,
    log_parameter_max_length: /^0$/,
    log_parameter_max_length_on_error: /^0$/,
    debug_print_parse: OFF,
    debug_print_rewritten: OFF,
    debug_print_plan: OFF,
    trace_notify: OFF,
    trace_sort: OFF,
    trace_recovery_messages: /^log$/,
    log_parser_stats: OFF,
    log_planner_stats: OFF,
    log_executor_stats: OFF,
    log_statement_stats: OFF,
    "auto_explain.log_min_duration": /^-1$/,
    "auto_explain.log_parameter_max_length": /^0$/,
    // Its view keeps the text of ALTER ROLE as it came.
    "pg_stat_statements.track_utility": OFF,
  }),
  ...watched("access", {
    password_encryption: /^scram-sha-256$/,
    scram_iterations: /^(409[6-9]|4[1-9]\d\d|[5-9]\d{3}|\d{5,})$/,
    ssl_min_protocol_version: /^TLSv1\.[23]$/,
    ssl_max_protocol_version: /^(|TLSv1\.3)$/,
    ssl_ciphers: /^(HIGH|HIGH:MEDIUM:\+3DES:!aNULL)$/,
    ssl_prefer_server_ciphers: ON,
    ssl_ecdh_curve: /^(prime256v1|secp384r1|X25519)$/,
    db_user_namespace: OFF,
    krb_caseins_users: OFF,
    gss_accept_delegation: OFF,
    allow_system_table_mods: OFF,
    lo_compat_privileges: OFF,
    row_security: ON,
    role: /^none$/,
    // Anything before pg_catalog can stand in for its functions.
    search_path: /^(?!.{2,}pg_catalog)/,
    createrole_self_grant: EMPTY,
    restrict_nonsystem_relation_kind: /^[a-z, -]*$/,
    unix_socket_group: EMPTY,
    unix_socket_permissions: /^0?7[0-7]{2}$/,
    pre_auth_delay: /^0$/,
    post_auth_delay: /^0$/,
    check_function_bodies: ON,
    backslash_quote: /^(safe_encoding|off)$/,
    standard_conforming_strings: ON,
    escape_string_warning: ON,
    transform_null_equals: OFF,
    quote_all_identifiers: OFF,
    array_nulls: ON,
  }),
]);

/** Settings that may have any value: how much, how fast, how long, and how things are shown. */
export const FREE: ReadonlySet<string> = new Set(
  `
DateStyle IntervalStyle TimeZone application_name archive_timeout authentication_timeout
autovacuum_analyze_scale_factor autovacuum_analyze_threshold autovacuum_max_workers
autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit autovacuum_vacuum_insert_scale_factor
autovacuum_vacuum_insert_threshold autovacuum_vacuum_scale_factor autovacuum_vacuum_threshold autovacuum_work_mem
backend_flush_after bgwriter_delay bgwriter_flush_after bgwriter_lru_maxpages bgwriter_lru_multiplier bytea_output
checkpoint_completion_target checkpoint_flush_after checkpoint_timeout checkpoint_warning
client_connection_check_interval client_encoding client_min_messages cluster_name commit_delay commit_siblings
compute_query_id constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction
deadlock_timeout debug_parallel_query debug_pretty_print default_statistics_target default_text_search_config
default_toast_compression default_transaction_deferrable default_transaction_isolation dynamic_shared_memory_type
effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan enable_gathermerge enable_hashagg
enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize
enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_seqscan enable_sort
enable_tidscan extra_float_digits file_extend_method from_collapse_limit geqo geqo_effort geqo_generations
geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit gin_pending_list_limit
hash_mem_multiplier hot_standby huge_page_size huge_pages icu_validation_level idle_in_transaction_session_timeout
idle_session_timeout jit jit_above_cost jit_expressions jit_inline_above_cost jit_optimize_above_cost
jit_tuple_deforming join_collapse_limit lc_messages lc_monetary lc_numeric lc_time lock_timeout
log_autovacuum_min_duration log_checkpoints log_connections log_disconnections log_duration log_error_verbosity
log_hostname log_line_prefix log_lock_waits log_recovery_conflict_waits log_replication_commands log_rotation_age
log_rotation_size log_startup_progress_interval log_statement_sample_rate log_temp_files log_timezone
log_truncate_on_rotation logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem max_connections
max_files_per_process max_locks_per_transaction max_logical_replication_workers
max_parallel_apply_workers_per_subscription max_parallel_maintenance_workers max_parallel_workers
max_parallel_workers_per_gather max_pred_locks_per_page max_pred_locks_per_relation max_pred_locks_per_transaction
max_replication_slots max_slot_wal_keep_size max_stack_depth max_standby_archive_delay max_standby_streaming_delay
max_sync_workers_per_subscription max_wal_senders max_wal_size max_worker_processes min_dynamic_shared_memory
min_parallel_index_scan_size min_parallel_table_scan_size min_wal_size parallel_leader_participation
parallel_setup_cost parallel_tuple_cost plan_cache_mode random_page_cost recovery_prefetch recursive_worktable_factor
reserved_connections seq_page_cost shared_buffers shared_memory_type ssl statement_timeout
stats_fetch_consistency superuser_reserved_connections synchronize_seqscans syslog_sequence_numbers
syslog_split_messages tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout temp_buffers
temp_file_limit track_activities track_activity_query_size track_commit_timestamp track_functions track_io_timing
track_wal_io_timing update_process_title vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit
vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss vacuum_freeze_min_age vacuum_freeze_table_age
vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age wal_buffers wal_compression
wal_decode_buffer_size wal_log_hints wal_init_zero wal_keep_size wal_receiver_create_temp_slot wal_receiver_status_interval
wal_receiver_timeout wal_recycle wal_retrieve_retry_interval wal_sender_timeout wal_skip_threshold wal_writer_delay
wal_writer_flush_after work_mem xmlbinary xmloption
pg_stat_statements.max pg_stat_statements.track pg_stat_statements.track_planning pg_stat_statements.save
hnsw.ef_search hnsw.iterative_scan hnsw.max_scan_tuples hnsw.scan_mem_multiplier ivfflat.iterative_scan
ivfflat.max_probes ivfflat.probes pg_trgm.similarity_threshold pg_trgm.word_similarity_threshold
pg_trgm.strict_word_similarity_threshold plpgsql.check_asserts plpgsql.extra_errors plpgsql.extra_warnings
plpgsql.print_strict_params plpgsql.variable_conflict auto_explain.log_analyze auto_explain.log_buffers
auto_explain.log_level auto_explain.log_nested_statements auto_explain.log_settings auto_explain.log_timing
auto_explain.log_triggers auto_explain.log_verbose auto_explain.log_wal auto_explain.sample_rate
`
    .split(/\s+/)
    .filter((name) => name !== "")
    .map((name) => name.toLowerCase()),
);
