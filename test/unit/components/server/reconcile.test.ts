/** When reconcile.sh checks what: the script itself, with parts that answer in PostgreSQL's place. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { projectFile } from "../../../../tools/cli.ts";

/** The passwords that the Secrets have. */
const SECRETS: Readonly<Record<string, string>> = {
  postgres: "postgres-0123456789",
  owner: "owner-0123456789",
  scribe: "scribe-0123456789",
};

/**
 * What the script calls. The file `database/<role>` is a role's password in the server; `moments/<when>` is a script of
 * the test, which is run once.
 */
const PARTS: Readonly<Record<string, string>> = {
  "superuser.sh": String.raw`
    superuser_options=
    happens() {
      [ ! -e "$ROOT/moments/$1" ] || { bash "$ROOT/moments/$1" && rm "$ROOT/moments/$1"; }
    }
    superuser() {
      local words="$*" new role
      case $words in
      *'\password "'*)
        IFS= read -r new
        role=${"$"}{words##*'\password "'}
        echo "$new" >"$ROOT/database/${"$"}{role%%'"'*}"
        ;;
      notice*) happens owner-checked ;;
      esac
    }`,
  "reconcile-sessions.sh": `
    protect_superuser() { :; }
    ensure_database_settings() { :; }
    ensure_session_settings() { :; }
    watch_notifications() { :; }
    fingerprint() { cat "$ROOT"/database/* | cksum; }`,
  "reconcile-logins.sh": `
    mark= logins_applied=
    reconcile_logins() {
      [ -z "$logins_applied" ] || return
      ensure_password scribe "$(cat "$ROOT/scribe")" transcripts_db || return
      happens logins-checked
      logins_applied=1
    }`,
  "reconcile-configuration.sh": "reconcile_configuration() { :; }",
  "read-back.sh": "read_back_at=1000000",
  "reconcile-heartbeat.sh": "write_heartbeat() { :; }",
  "reconcile-description.sh": "describe() { :; }",
  "reconcile-figures.sh": 'write_figures() { touch "$ROOT/figures"; }',
  "programs/pg_isready": "#!/bin/sh\n",
  // A client: it logs in with the password that the server has.
  "programs/psql": `#!/bin/bash
    while [ $# -gt 0 ]; do [ "$1" != -U ] || role=$2; shift; done
    if [ -e "$ROOT/full" ]; then echo "FATAL:  too many connections for role $role" >&2; exit 2; fi
    [ "*:*:*:*:$(cat "$ROOT/database/$role")" = "$(cat "$PGPASSFILE")" ]`,
};

describe("the reconciler", function () {
  this.timeout(60_000);
  let root = "";
  let reconciler: ChildProcess | undefined;
  let log = "";

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o755 });
  }
  const inServer = (role: string) => readFileSync(join(root, "database", role), "utf8").trim();

  async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 20_000; !holds(); await wait(50))
      assert.ok(Date.now() < end, `not within 20 s: ${what}\n${log}`);
  }

  function start(): void {
    reconciler = spawn("bash", [join(root, "reconcile.sh")], {
      env: { PATH: `${join(root, "programs")}:/usr/bin:/bin`, ROOT: root },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [reconciler.stdout, reconciler.stderr])
      stream?.setEncoding("utf8").on("data", (data: string) => (log += data));
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "reconciler-"));
    log = "";
    for (const [path, text] of Object.entries(PARTS)) write(path, text);
    copyFileSync(projectFile("components/kubernetes/scripts/clock.sh"), join(root, "clock.sh"));
    const places = { "/etc/": "etc", "/run/reconcile": "run", "/var/run/postgresql": "sockets" };
    let script = readFileSync(projectFile("components/server/scripts/reconcile.sh"), "utf8");
    for (const [place, folder] of Object.entries(places).reverse())
      script = script.replaceAll(place, place.endsWith("/") ? `${root}/${folder}/` : `${root}/${folder}`);
    write("reconcile.sh", script);
    mkdirSync(join(root, "run"));
    write("sockets/.s.PGSQL.5432.lock", "1\n");
    write("etc/postgresql/sessions.conf", "");
    write("etc/credentials/owner/POSTGRES_USER", "owner");
    write("etc/credentials/owner/POSTGRES_DB", "transcripts_db");
    write("etc/credentials/owner/POSTGRES_PASSWORD", SECRETS.owner ?? "");
    write("etc/credentials/superuser/POSTGRES_PASSWORD", SECRETS.postgres ?? "");
    write("scribe", SECRETS.scribe ?? "");
    for (const [role, password] of Object.entries(SECRETS)) write(`database/${role}`, password);
  });

  afterEach(async () => {
    reconciler?.kill("SIGKILL");
    if (reconciler?.exitCode === null && reconciler.signalCode === null) await once(reconciler, "exit");
    rmSync(root, { recursive: true });
  });

  // Roles may change their own passwords at any time: also while these are checked.
  const steal = (role: string) => `echo stolen-0123456789 >"$ROOT/database/${role}"`;
  const MOMENTS = { "owner-checked": "owner", "logins-checked": "scribe" };
  for (const [moment, role] of Object.entries(MOMENTS)) {
    const stolen = () => until("it is stolen", () => !existsSync(join(root, "moments", moment)));
    const right = () => until("it is put right", () => inServer(role) === SECRETS[role]);

    it(`puts right the password of ${role} that is changed during the first check, after it was tried`, async () => {
      write(`moments/${moment}`, steal(role));
      start();
      await stolen();
      await right();
    });

    it(`puts right the password of ${role} that is changed while another is put right, after it was tried`, async () => {
      start();
      await until("the first check is over", () => existsSync(join(root, "figures")));
      await wait(3000);
      write(`moments/${moment}`, steal(role));
      // Reasons for a check of everything: another file, and another password.
      write("etc/postgresql/sessions.conf", "owner connections 3\n");
      write("database/scribe", "stolen-too-0123456789");
      await stolen();
      await right();
    });
  }

  it("writes the figures also while no password can be tried", async () => {
    start();
    await until("the first check is over", () => existsSync(join(root, "figures")));
    write("full", "");
    write("database/scribe", "stolen-0123456789");
    await until("it is tried", () => /could not be tried: FATAL/.test(log));
    const tried = Date.now();
    await until("and figures are written", () => statSync(join(root, "figures")).mtimeMs > tried);
    rmSync(join(root, "full"));
    await until("it is put right", () => inServer("scribe") === SECRETS.scribe);
  });
});
