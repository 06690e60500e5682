/**
 * The ledger: numbered rows are written into the database, one transaction each, and a number is entered into a file
 * outside of it once its commit has been acknowledged. Afterwards every number in the file must be in the database.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Connection, ServerError } from "./connection.ts";

/** Milliseconds that a login or a commit may take before the connection is given up. */
const PATIENCE = 2000;
/** Milliseconds between two writes: about fifty a second. */
const PAUSE = 15;

export const LEDGER_TABLE = "faults_ledger";

/** The result of comparing file and table. */
export interface LedgerCheck {
  /** Rows in the ledger's file, each of which was looked for. */
  rows: number;
  /** Acknowledged, but missing in the table or with other content. */
  lost: number[];
  /** In the table, and never sent. */
  strange: number[];
}

/** How the writer gets its sessions. */
export interface Connector {
  /** One attempt. */
  once: (milliseconds: number) => Promise<Connection>;
  /** Attempts until one succeeds: the Service's readiness may flap after a fault. */
  soon: () => Promise<Connection>;
}

/** An interruption of the writes. Times in milliseconds since the epoch. */
export interface Gap {
  from: number;
  to: number;
}

/** The content of row `id`: it can be computed again, so that a row with other content is found. */
function payloadOf(id: number): string {
  return createHash("sha256").update(`row ${id}`).digest("hex").repeat(4);
}

/** The writer and its file. */
export class Ledger {
  private readonly file: string;
  private readonly connect: Connector;
  private nextId = 1;
  /** When each acknowledgement arrived. */
  private acknowledged: number[] = [];
  private running: Promise<void> | undefined;
  private stopping = false;
  private connection: Connection | undefined;
  /** Why the last attempt failed. */
  lastFailure = "";

  constructor(file: string, connect: Connector) {
    this.file = file;
    this.connect = connect;
    closeSync(openSync(file, "w", 0o600));
  }

  /** Makes the table, empty. */
  async prepare(): Promise<void> {
    const connection = await this.connect.soon();
    await connection.query(
      `drop table if exists ${LEDGER_TABLE};
       create table ${LEDGER_TABLE} (id bigint primary key, payload text not null);
       create index on ${LEDGER_TABLE} (payload)`,
      10_000,
    );
    connection.close();
  }

  start(): void {
    this.stopping = false;
    this.running ??= this.write();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
    this.running = undefined;
  }

  /** Disconnects, as a client does; the next write opens a new connection. */
  hangUp(): void {
    this.connection?.close();
  }

  /** Process id, inside the server's container, of the session that writes. */
  async sessionProcess(): Promise<number> {
    // A session of its own could not ask without coming between two writes.
    const connection = await this.connect.soon();
    try {
      const rows = await connection.query(
        `select pid from pg_stat_activity where application_name = 'faults' and pid <> pg_backend_pid()
          and query like 'insert into ${LEDGER_TABLE} %' order by backend_start desc limit 1`,
        10_000,
      );
      return Number(rows[0]?.[0]);
    } finally {
      connection.close();
    }
  }

  /** Acknowledgements in the last `milliseconds`. */
  recent(milliseconds: number): number {
    const since = Date.now() - milliseconds;
    return this.acknowledged.filter((time) => time >= since).length;
  }

  /** The longest time without an acknowledgement from `since` on, or undefined while there was none at all. */
  longestGap(since: number): Gap | undefined {
    const after = this.acknowledged.filter((time) => time > since);
    let longest: Gap | undefined;
    let from = since;
    for (const to of after) {
      if (!longest || to - from > longest.to - longest.from) longest = { from, to };
      from = to;
    }
    return longest;
  }

  /** Forgets the times, not the rows. */
  forgetTimes(): void {
    this.acknowledged = [];
  }

  /** Compares the file with the table. */
  async check(): Promise<LedgerCheck> {
    const sent = this.nextId;
    const ids = readFileSync(this.file, "utf8").split("\n").filter(Boolean).map(Number);
    const connection = await this.connect.soon();
    try {
      const rows = await connection.query(`select id, payload from ${LEDGER_TABLE}`, 30_000);
      const found = new Map(rows.map(([id, payload]) => [Number(id), payload]));
      return {
        rows: ids.length,
        lost: ids.filter((id) => found.get(id) !== payloadOf(id)),
        // Sent while this was being read: not strange.
        strange: [...found.keys()].filter((id) => id >= Math.max(sent, this.nextId)),
      };
    } finally {
      connection.close();
    }
  }

  private async write(): Promise<void> {
    const file = openSync(this.file, "a");
    let connection: Connection | undefined;
    while (!this.stopping) {
      try {
        connection ??= this.connection = await this.connect.once(PATIENCE);
        // A number is never sent twice: nobody can know whether an unanswered one was committed.
        const id = this.nextId++;
        await connection.query(`insert into ${LEDGER_TABLE} values (${id}, '${payloadOf(id)}')`, PATIENCE);
        writeSync(file, `${id}\n`);
        this.acknowledged.push(Date.now());
        await pause(PAUSE);
      } catch (error) {
        this.lastFailure = error instanceof Error ? error.message : String(error);
        // A refused statement leaves the session usable: as on a full disk.
        if (!(error instanceof ServerError) || !connection) {
          connection?.close();
          connection = undefined;
        }
        await pause(50);
      }
    }
    connection?.close();
    closeSync(file);
  }
}
