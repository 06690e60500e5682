/**
 * PostgreSQL 16's settings that the pack knows: those that may have any value, and those that need a declaration
 * except for some values. A setting that is not here is refused.
 */

import { isInRange, type Range, range } from "./amounts.ts";

const ON = /^(on|t|tr|tru|true|y|ye|yes|1)$/i;
const OFF = /^(off|of|f|fa|fal|fals|false|n|no|0)$/i;
const EMPTY = /^$/;

/** Why a setting is watched. */
export type Danger =
  | "program"
  | "place"
  | "durability"
  | "log"
  | "access"
  | "upkeep"
  | "disk"
  | "memory"
  | "start"
  | "clients"
  | "answers"
  | "sight";

/** What a setting of each sort does. */
export const DANGERS: Readonly<Record<Danger, string>> = {
  program: "makes the server run a program or load a library",
  place: "makes the server read or write in another place",
  durability: "weakens the protection of committed rows",
  log: "writes statements to the log, including passwords",
  access: "opens what the server keeps closed",
  upkeep: "keeps vacuum from its work until tables bloat or the server accepts no more writes",
  disk: "lets the server fill its volume, or recover for hours",
  memory: "takes memory at the start, or lets one statement take it, regardless of the limit",
  start: "can keep the server from starting",
  clients: "interrupts clients, or keeps them out",
  answers: "changes the results of queries",
  sight: "hides what the server does",
};

interface Watched {
  danger: Danger;
  /** Values that need no declaration. */
  safe: RegExp | Range;
}

/** Whether a value needs no declaration. */
export function isSafe(value: string, safe: RegExp | Range): boolean {
  return safe instanceof RegExp ? safe.test(value) : isInRange(value, safe);
}

const NEVER = /^(?!)/;
const watched = (danger: Danger, settings: Readonly<Record<string, RegExp | Range>>): [string, Watched][] =>
  Object.entries(settings).map(([name, safe]) => [name, { danger, safe }]);

/** Settings that need a declaration, unless they have one of these values. */
export const WATCHED: ReadonlyMap<string, Watched> = new Map([
  ...watched("program", {
    // The backups' own, which waits for the agent: at most a minute, three times at a shutdown.
    archive_command:
      /^(bash \/usr\/local\/lib\/transcript-pipeline-backup\/pgbackrest-wal\.sh push %f [1-5]?\d)?$/,
    archive_cleanup_command: EMPTY,
    restore_command: EMPTY,
    recovery_end_command: EMPTY,
    ssl_passphrase_command: EMPTY,
    ssl_passphrase_command_supports_reload: OFF,
    archive_library: EMPTY,
    archive_mode: /^(on|off)$/,
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
    // In memory, where the container next to the server keeps them.
    ssl_cert_file: /^\/run\/tls\/current\/tls\.crt$/,
    ssl_key_file: /^\/run\/tls\/current\/tls\.key$/,
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
    // Without the counts autovacuum finds nothing to do.
    track_counts: ON,
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
    // A statement that failed, with the password in it.
    log_min_error_statement: /^(fatal|panic)$/i,
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
    // Its view keeps the text of ALTER ROLE.
    "pg_stat_statements.track_utility": OFF,
  }),
  ...watched("access", {
    password_encryption: /^scram-sha-256$/,
    scram_iterations: /^(409[6-9]|4[1-9]\d\d|[5-9]\d{3}|\d{5,})$/,
    ssl_min_protocol_version: /^TLSv1\.[23]$/,
    ssl_max_protocol_version: /^(|TLSv1\.3)$/,
    ssl_ciphers: /^(ECDHE\+AESGCM:ECDHE\+CHACHA20|HIGH|HIGH:MEDIUM:\+3DES:!aNULL)$/,
    ssl_prefer_server_ciphers: ON,
    ssl_ecdh_curve: /^(prime256v1|secp384r1|X25519)$/,
    db_user_namespace: OFF,
    krb_caseins_users: OFF,
    gss_accept_delegation: OFF,
    allow_system_table_mods: OFF,
    lo_compat_privileges: OFF,
    row_security: ON,
    role: /^none$/,
    // What the program writes; anything before pg_catalog can shadow its functions.
    search_path:
      /^(pg_catalog|"?\$user"?|"?public"?|"?extensions"?)(\s*,\s*("?\$user"?|"?public"?|"?extensions"?))*$/,
    check_function_bodies: ON,
    createrole_self_grant: EMPTY,
    restrict_nonsystem_relation_kind: /^[a-z, -]*$/,
    unix_socket_group: EMPTY,
    unix_socket_permissions: /^0?7[0-7]{2}$/,
    pre_auth_delay: /^0$/,
    post_auth_delay: /^0$/,
    backslash_quote: /^(safe_encoding|off)$/,
    standard_conforming_strings: ON,
    escape_string_warning: ON,
    quote_all_identifiers: OFF,
  }),
  ...watched("upkeep", {
    autovacuum_naptime: range("s", "1s", "1h"),
    autovacuum_max_workers: range("", "1", "64"),
    autovacuum_vacuum_threshold: range("", "0", "100000"),
    autovacuum_vacuum_scale_factor: range("", "0", "0.5"),
    // -1 disables it.
    autovacuum_vacuum_insert_threshold: range("", "0", "1000000"),
    autovacuum_vacuum_insert_scale_factor: range("", "0", "0.5"),
    autovacuum_analyze_threshold: range("", "0", "100000"),
    autovacuum_analyze_scale_factor: range("", "0", "0.5"),
    autovacuum_vacuum_cost_delay: range("ms", "0", "20ms", -1),
    autovacuum_vacuum_cost_limit: range("", "100", "10000", -1),
    vacuum_cost_delay: range("ms", "0", "20ms"),
    vacuum_cost_limit: range("", "100", "10000"),
    vacuum_cost_page_hit: range("", "0", "10"),
    vacuum_cost_page_miss: range("", "0", "20"),
    vacuum_cost_page_dirty: range("", "0", "50"),
    // Writes stop near 2^31. The bounds are ours: half of that, and the default of the failsafe.
    autovacuum_freeze_max_age: range("", "100000", "1000000000"),
    autovacuum_multixact_freeze_max_age: range("", "10000", "1000000000"),
    vacuum_failsafe_age: range("", "0", "1600000000"),
    vacuum_multixact_failsafe_age: range("", "0", "1600000000"),
    vacuum_freeze_min_age: range("", "0", "200000000"),
    vacuum_freeze_table_age: range("", "0", "500000000"),
    vacuum_multixact_freeze_min_age: range("", "0", "200000000"),
    vacuum_multixact_freeze_table_age: range("", "0", "500000000"),
    default_statistics_target: range("", "10", "10000"),
  }),
  ...watched("disk", {
    checkpoint_timeout: range("s", "30s", "1h"),
    max_wal_size: range("MB", "32MB", "64GB"),
    min_wal_size: range("MB", "32MB", "16GB"),
    wal_keep_size: range("MB", "0", "16GB"),
    // -1 means no limit: a slot that nobody reads keeps all of the WAL.
    max_slot_wal_keep_size: range("MB", "0", "64GB"),
    temp_file_limit: range("kB", "0", "1TB"),
    max_replication_slots: range("", "0", "100"),
    gin_pending_list_limit: range("kB", "64kB", "1GB"),
  }),
  ...watched("memory", {
    max_connections: range("", "1", "1000"),
    max_worker_processes: range("", "0", "512"),
    max_wal_senders: range("", "0", "100"),
    max_locks_per_transaction: range("", "64", "2048"),
    max_pred_locks_per_transaction: range("", "10", "2048"),
    track_activity_query_size: range("B", "100", "64kB"),
    min_dynamic_shared_memory: range("MB", "0", "1GB"),
    "pg_stat_statements.max": range("", "100", "50000"),
    work_mem: range("kB", "64kB", "16GB"),
    hash_mem_multiplier: range("", "1", "8"),
    temp_buffers: range("8kB", "800kB", "1GB"),
    maintenance_work_mem: range("kB", "1MB", "256GB"),
    autovacuum_work_mem: range("kB", "1MB", "64GB", -1),
    logical_decoding_work_mem: range("kB", "64kB", "4GB"),
    "hnsw.scan_mem_multiplier": range("", "1", "8"),
    // Above the system's limit a process crashes.
    max_stack_depth: range("kB", "100kB", "7MB"),
  }),
  ...watched("start", {
    // The pod requests no huge pages, and its shared memory is /dev/shm.
    huge_pages: OFF,
    huge_page_size: range("kB", "0", "0"),
    shared_memory_type: /^mmap$/,
    dynamic_shared_memory_type: /^posix$/,
    max_files_per_process: range("", "256", "1000000"),
  }),
  ...watched("clients", {
    authentication_timeout: range("s", "1s", "1min"),
    superuser_reserved_connections: range("", "1", "20"),
    reserved_connections: range("", "0", "20"),
    statement_timeout: range("ms", "1s", "24d", 0),
    lock_timeout: range("ms", "100ms", "24d", 0),
    idle_session_timeout: range("ms", "10s", "24d", 0),
    idle_in_transaction_session_timeout: range("ms", "1s", "24d", 0),
    deadlock_timeout: range("ms", "10ms", "1min"),
    tcp_user_timeout: range("ms", "1s", "24d", 0),
    client_connection_check_interval: range("ms", "100ms", "24d", 0),
  }),
  ...watched("answers", {
    gin_fuzzy_search_limit: range("", "0", "0"),
    extra_float_digits: range("", "1", "3"),
    "plpgsql.variable_conflict": /^error$/,
    transform_null_equals: OFF,
    array_nulls: ON,
    client_encoding: /^utf-?8$/i,
    debug_parallel_query: OFF,
    "hnsw.ef_search": range("", "10", "1000"),
    "hnsw.max_scan_tuples": range("", "1000", "2147483647"),
    "ivfflat.max_probes": range("", "10", "32768"),
    "pg_trgm.similarity_threshold": range("", "0.1", "0.9"),
    "pg_trgm.word_similarity_threshold": range("", "0.1", "0.9"),
    "pg_trgm.strict_word_similarity_threshold": range("", "0.1", "0.9"),
  }),
  ...watched("sight", {
    track_activities: ON,
    compute_query_id: /^(auto|on|true|yes|1)$/i,
    "pg_stat_statements.track": /^(top|all)$/,
  }),
]);

/** Settings that may have any value: how much, how fast, how long, and how things are shown. */
export const FREE: ReadonlySet<string> = new Set(
  `
DateStyle IntervalStyle TimeZone application_name archive_timeout backend_flush_after bgwriter_delay
bgwriter_flush_after bgwriter_lru_maxpages bgwriter_lru_multiplier bytea_output checkpoint_completion_target
checkpoint_flush_after checkpoint_warning client_min_messages cluster_name commit_delay commit_siblings
constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction debug_pretty_print
default_text_search_config default_toast_compression default_transaction_deferrable default_transaction_isolation
effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan enable_gathermerge enable_hashagg
enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize
enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate enable_seqscan enable_sort
enable_tidscan file_extend_method from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed
geqo_selection_bias geqo_threshold hot_standby icu_validation_level jit jit_above_cost jit_expressions
jit_inline_above_cost jit_optimize_above_cost jit_tuple_deforming join_collapse_limit lc_messages lc_monetary
lc_numeric lc_time log_autovacuum_min_duration log_checkpoints log_connections log_disconnections log_duration
log_error_verbosity log_hostname log_line_prefix log_lock_waits log_recovery_conflict_waits log_replication_commands
log_rotation_age log_rotation_size log_startup_progress_interval log_statement_sample_rate log_temp_files log_timezone
log_truncate_on_rotation maintenance_io_concurrency max_logical_replication_workers
max_parallel_apply_workers_per_subscription max_parallel_maintenance_workers max_parallel_workers
max_parallel_workers_per_gather max_pred_locks_per_page max_pred_locks_per_relation max_standby_archive_delay
max_standby_streaming_delay max_sync_workers_per_subscription min_parallel_index_scan_size
min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost parallel_tuple_cost plan_cache_mode
random_page_cost recovery_prefetch recursive_worktable_factor seq_page_cost shared_buffers ssl stats_fetch_consistency
synchronize_seqscans syslog_sequence_numbers syslog_split_messages tcp_keepalives_count tcp_keepalives_idle
tcp_keepalives_interval track_commit_timestamp track_functions track_io_timing track_wal_io_timing
update_process_title vacuum_buffer_usage_limit wal_buffers wal_compression wal_decode_buffer_size wal_log_hints
wal_init_zero wal_receiver_create_temp_slot wal_receiver_status_interval wal_receiver_timeout wal_recycle
wal_retrieve_retry_interval wal_sender_timeout wal_skip_threshold wal_writer_delay wal_writer_flush_after xmlbinary
xmloption pg_stat_statements.track_planning pg_stat_statements.save hnsw.iterative_scan ivfflat.iterative_scan
ivfflat.probes plpgsql.check_asserts plpgsql.extra_errors plpgsql.extra_warnings plpgsql.print_strict_params
auto_explain.log_analyze auto_explain.log_buffers auto_explain.log_level auto_explain.log_nested_statements
auto_explain.log_settings auto_explain.log_timing auto_explain.log_triggers auto_explain.log_verbose
auto_explain.log_wal auto_explain.sample_rate
`
    .split(/\s+/)
    .filter((name) => name !== "")
    .map((name) => name.toLowerCase()),
);
