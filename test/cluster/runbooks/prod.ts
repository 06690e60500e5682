/**
 * The runbooks of docs/, executed as printed, in a checkout with the stack `prod`, whose storage is protected.
 * One database lives through all pages, whatever their order; every row of it is looked for after each.
 */
import assert from "node:assert/strict";
import { Checkout } from "../checkout.ts";
import { allRunbooks } from "../runbook.ts";
import { inPod, kubectl, needsEngine, shell, sql, takeRoom, until, vacate } from "../support.ts";

/** The namespace of the guide. */
export const NAMESPACE = "transcript-pipeline";
const ROWS = 5000;
/** Changes if a row is lost, changed or duplicated. */
export const EVERY_ROW = "select count(*), md5(string_agg(r::text, ';' order by id)) from recordings as r";

/** The deployed stack. */
interface Prod {
  checkout: Checkout;
  /** The answer to {@link EVERY_ROW}. */
  fingerprint: string;
  /** Where the data is: a page moves it. */
  dataDirectory: string;
}

let deployed: Prod | undefined;

/** The stack on which the pages are followed. */
export function prod(): Prod {
  assert.ok(deployed, "the stack prod is not deployed");
  return deployed;
}

/** Makes room for it, and deploys it with its rows. */
async function deploy(): Promise<Prod> {
  await takeRoom(leaveProd);
  const checkout = new Checkout();
  deployed = { checkout, fingerprint: "", dataDirectory: checkout.dataDirectory };
  const first = await checkout.succeed(
    'pulumi stack init "$STACK" && pulumi up --skip-preview --stack "$STACK"',
  );
  // A first start is allowed once, knowingly.
  assert.match(
    first.output,
    /a new database is created in it, once\. storage\.mount is not set, so a disk that/,
  );
  assert.match(first.output, /is ready, new, for one new database: transcript-pipeline\/prod/);
  await sql(
    `insert into recordings (source_uri, title)
       select 'runbook:' || i, repeat(md5(i::text), 1 + i % 20) from generate_series(1, ${ROWS}) as i`,
  );
  deployed.fingerprint = await sql(EVERY_ROW);
  assert.match(deployed.fingerprint, new RegExp(`^${ROWS}\\|[0-9a-f]{32}$`));
  return deployed;
}

/** Removes the stack and its data. */
async function leaveProd(): Promise<void> {
  await shell(`kubectl delete namespace ${NAMESPACE} --ignore-not-found`);
  await shell("kubectl delete pv postgres-pv --ignore-not-found");
  deployed?.checkout.remove();
  deployed = undefined;
}

/** For the suite of a page: the stack exists before its tests, and is created again after one that failed. */
export function onProd(): void {
  needsEngine();
  let failed = false;
  before(async function () {
    this.timeout(600_000);
    failed = true;
    deployed ??= await deploy();
    failed = false;
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") failed = true;
  });
  after(async function () {
    this.timeout(120_000);
    if (failed) await vacate();
  });
}

/** Follows a runbook by its name; what the reader fills in are the variables. Returns what it printed. */
export async function follow(name: string, variables: Record<string, string> = {}): Promise<string> {
  const runbook = allRunbooks().find((candidate) => candidate.name === name);
  assert.ok(runbook, `no page of docs/ has a runbook ${name}`);
  return prod().checkout.follow(runbook, variables);
}

/** The database has the rows that it was given, and no others. */
export async function findEveryRow(): Promise<void> {
  assert.equal(await sql(EVERY_ROW), prod().fingerprint);
}

/** The owner's password, as Pulumi prints it. */
export async function password(): Promise<string> {
  const command = "pulumi stack output password --show-secrets --stack $STACK";
  return (await prod().checkout.succeed(command)).stdout.trim();
}

/** Logs in over TCP; fails with the server's answer if it refuses. */
export async function logIn(user: string, secret: string): Promise<void> {
  const line = `read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U ${user} -d transcripts_db -c ''`;
  const ran = await inPod(["bash", "-c", line], `${secret}\n`);
  assert.equal(ran.status, 0, ran.output);
}

/** Waits until a password is in force. */
export const untilLogsIn = (user: string, secret: string) =>
  until(`${user} logs in`, () =>
    logIn(user, secret).then(
      () => true,
      () => false,
    ),
  );

/** A field of an object of the stack. */
export const get = (what: string, path: string) =>
  kubectl("get", ...what.split(" "), "-n", NAMESPACE, "-o", path);

/** The server's pod, its containers' restarts, and the start of its postmaster. */
export const server = async () =>
  (await get("pod postgres-0", "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount}")) +
  (await sql("select pg_postmaster_start_time()", "postgres"));
