/**
 * A connection to PostgreSQL from outside the cluster: password login, one statement after the other, and a deadline for
 * everything. A connection that is lost stays lost: what is measured here is how long that lasts.
 */
import pg from "pg";
import { SERVER_NAME } from "../../../components/kubernetes/names.ts";

/** The address, the login, and what the server is verified with. */
export interface Login {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  ca: string;
}

/** The server's refusal of a statement or a login, with its SQLSTATE. */
export class ServerError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${message} (${code})`);
    this.code = code;
  }
}

/** States after which the server disconnects: it shuts down, or accepts no more connections. */
const HANGS_UP = /^(57P|08|53300)/;

/** Values as the server sends them. */
const asText = { getTypeParser: () => (text: string | Buffer) => text.toString() };

/** One session. Every failure but a {@link ServerError} of a statement ends it. */
export class Connection {
  private readonly client: pg.Client;

  private constructor(client: pg.Client) {
    this.client = client;
    // A connection that is lost between two statements is reported here; the next statement fails anyway.
    client.on("error", () => undefined);
  }

  /** Logs in, within `milliseconds` in all. */
  static async open({ ca, ...login }: Login, milliseconds: number): Promise<Connection> {
    const client = new pg.Client({
      ...login,
      // The address is the node's, and the name that of the Service behind it.
      ssl: { ca, servername: SERVER_NAME },
      application_name: "faults",
      types: asText,
      connectionTimeoutMillis: milliseconds,
    });
    const connection = new Connection(client);
    try {
      await client.connect();
      return connection;
    } catch (error) {
      connection.close();
      throw failureOf(error);
    }
  }

  /** Runs one statement (or several) and returns the rows of all, as text. */
  async query(statement: string, milliseconds: number): Promise<(string | null)[][]> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    });
    try {
      const answered = this.client.query<(string | null)[]>({ text: statement, rowMode: "array" });
      // Several statements have several results, which the types do not declare.
      const results = await Promise.race([answered, deadline]);
      return [results].flat().flatMap(({ rows }) => rows);
    } catch (error) {
      const failure = failureOf(error);
      if (!(failure instanceof ServerError)) this.close();
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    // Without notice to the server, which may not respond any more. `end` alone would wait for it.
    this.client.connection.stream.destroy();
    void this.client.end().catch(() => undefined);
  }
}

/** What the library threw, as the ledger tells failures apart. */
function failureOf(error: unknown): Error {
  if (error instanceof pg.DatabaseError) {
    const { code = "", message } = error;
    return HANGS_UP.test(code) ? new Error(`${message} (${code})`) : new ServerError(code, message);
  }
  return error instanceof Error ? error : new Error(String(error));
}
