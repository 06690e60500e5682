/**
 * A connection to PostgreSQL from outside the cluster, as small as the ledger needs it: password login, one
 * statement after the other, and a deadline for everything. What a client library does on a lost connection would
 * hide what is measured here.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { connect as connectSocket, type Socket } from "node:net";

/** Where and as whom. */
export interface Login {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** The server's refusal of a statement or a login, with its SQLSTATE. */
export class ServerError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${message} (${code})`);
    this.code = code;
  }
}

interface Message {
  type: string;
  body: Buffer;
}

/** One session. Every failure but a {@link ServerError} of a statement ends it. */
export class Connection {
  private readonly socket: Socket;
  private received = Buffer.alloc(0);
  private readonly messages: Message[] = [];
  private wake: (() => void) | undefined;
  private ended: Error | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.receive(data));
    socket.on("error", (error) => this.end(error));
    socket.on("close", () => this.end(new Error("the connection was closed")));
  }

  /** Logs in. `milliseconds` is for the whole of it. */
  static async open(login: Login, milliseconds: number): Promise<Connection> {
    const connection = new Connection(connectSocket({ host: login.host, port: login.port }));
    try {
      await connection.within(milliseconds, () => connection.logIn(login));
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Runs one statement (or several) and returns the rows of all, as text. */
  query(statement: string, milliseconds: number): Promise<(string | null)[][]> {
    return this.within(milliseconds, async () => {
      this.send("Q", Buffer.from(`${statement}\0`));
      return this.untilReady();
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private async within<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.end(new Error(`no answer within ${milliseconds} ms`));
      this.socket.destroy();
    }, milliseconds);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServerError)) this.socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async logIn({ user, password, database }: Login): Promise<void> {
    const parameters = Buffer.from(`user\0${user}\0database\0${database}\0application_name\0faults\0\0`);
    const start = Buffer.alloc(8);
    start.writeInt32BE(8 + parameters.length, 0);
    start.writeInt32BE(3 << 16, 4);
    this.socket.write(Buffer.concat([start, parameters]));

    const nonce = randomBytes(18).toString("base64");
    const clientFirst = `n=,r=${nonce}`;
    let signature = "";
    for (;;) {
      const { type, body } = await this.next();
      if (type === "E") throw serverError(body);
      if (type !== "R") continue;
      const kind = body.readInt32BE(0);
      if (kind === 0) break;
      if (kind === 10) {
        const first = Buffer.from(`n,,${clientFirst}`);
        const length = Buffer.alloc(4);
        length.writeInt32BE(first.length);
        this.send("p", Buffer.concat([Buffer.from("SCRAM-SHA-256\0"), length, first]));
      } else if (kind === 11) {
        const serverFirst = body.subarray(4).toString();
        const answer = scramAnswer(password, clientFirst, serverFirst);
        signature = answer.signature;
        this.send("p", Buffer.from(answer.message));
      } else if (kind === 12) {
        if (body.subarray(4).toString() !== `v=${signature}`)
          throw new Error("the server does not know the password");
      } else {
        throw new Error(`the server asks for a login of kind ${kind}`);
      }
    }
    await this.untilReady();
  }

  private async untilReady(): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = [];
    let failure: ServerError | undefined;
    for (;;) {
      const { type, body } = await this.next();
      if (type === "D") rows.push(fields(body));
      else if (type === "E") {
        failure = serverError(body);
        // After FATAL the server hangs up instead of becoming ready.
        if (/^(57P|08|53300)/.test(failure.code)) throw new Error(failure.message);
      } else if (type === "Z") {
        if (failure) throw failure;
        return rows;
      }
    }
  }

  private send(type: string, body: Buffer): void {
    const head = Buffer.alloc(5);
    head.write(type, 0);
    head.writeInt32BE(body.length + 4, 1);
    this.socket.write(Buffer.concat([head, body]));
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    while (this.received.length >= 5) {
      const length = this.received.readInt32BE(1) + 1;
      if (this.received.length < length) break;
      this.messages.push({
        type: String.fromCharCode(this.received[0] ?? 0),
        body: this.received.subarray(5, length),
      });
      this.received = this.received.subarray(length);
    }
    this.wake?.();
  }

  private end(error: Error): void {
    this.ended ??= error;
    this.wake?.();
  }

  private async next(): Promise<Message> {
    for (;;) {
      const message = this.messages.shift();
      if (message) return message;
      if (this.ended) throw this.ended;
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = undefined;
    }
  }
}

function fields(body: Buffer): (string | null)[] {
  const values: (string | null)[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : body.toString("utf8", at, at + length));
    at += Math.max(length, 0);
  }
  return values;
}

function serverError(body: Buffer): ServerError {
  const parts = new Map(
    body
      .toString()
      .split("\0")
      .filter((part) => part !== "")
      .map((part) => [part[0], part.slice(1)]),
  );
  return new ServerError(parts.get("C") ?? "", parts.get("M") ?? "");
}

/** RFC 5802 with SHA-256 and without channel binding. */
function scramAnswer(
  password: string,
  clientFirst: string,
  serverFirst: string,
): { message: string; signature: string } {
  const value = (key: string) => new RegExp(`(?:^|,)${key}=([^,]*)`).exec(serverFirst)?.[1] ?? "";
  const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const salted = pbkdf2Sync(password, Buffer.from(value("s"), "base64"), Number(value("i")), 32, "sha256");
  const clientKey = hmac(salted, "Client Key");
  const storedKey = createHash("sha256").update(clientKey).digest();
  const withoutProof = `c=biws,r=${value("r")}`;
  const transcript = `${clientFirst},${serverFirst},${withoutProof}`;
  const clientSignature = hmac(storedKey, transcript);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0)));
  return {
    message: `${withoutProof},p=${proof.toString("base64")}`,
    signature: hmac(hmac(salted, "Server Key"), transcript).toString("base64"),
  };
}
