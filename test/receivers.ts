/** Real servers that messages are sent to: HTTPS with a certificate of its own authority, and SMTP. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";

/** A request that was received. */
export interface Received {
  method: string;
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** A mail that was received. */
export interface Mail {
  from: string;
  to: string[];
  user: string;
  encrypted: boolean;
  /** The name by which the client said hello. */
  hello: string;
  text: string;
}

/** A certificate for an address, which is its own authority. */
export function certificate(address = "127.0.0.1"): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "receivers-"));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  try {
    execFileSync(
      "openssl",
      [
        ...[
          "req",
          "-x509",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:prime256v1",
          "-nodes",
          "-days",
          "2",
        ],
        ...[
          "-subj",
          "/CN=receivers",
          "-addext",
          `subjectAltName=IP:${address}`,
          "-keyout",
          key,
          "-out",
          cert,
        ],
      ],
      { stdio: "ignore" },
    );
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const listening = async (
  server: { listen(port: number, host: string, done: () => void): unknown },
  address: string,
) => new Promise<void>((resolve) => void server.listen(0, address, resolve));

/** An HTTPS server that keeps what it gets. */
export class WebReceiver {
  readonly received: Received[] = [];
  /** What it answers. */
  status = 200;
  /** Runs while a client waits for the answer. */
  meanwhile = (): void => undefined;
  onReceived: ((request: Received) => void) | undefined;
  private readonly server: Server;

  constructor(tls: { key: string; cert: string }) {
    this.server = createServer(tls, (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (data: string) => (body += data));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        this.meanwhile();
        const one = { method, path: url, headers, body };
        this.received.push(one);
        this.onReceived?.(one);
        response.writeHead(this.status).end("an answer with secret-of-the-answer");
      });
    });
  }

  /** @returns its URL */
  async start(host = "127.0.0.1"): Promise<string> {
    await listening(this.server, host);
    return `https://${host}:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** An SMTP server that keeps what it gets. */
export class MailReceiver {
  readonly received: Mail[] = [];
  onReceived: ((mail: Mail) => void) | undefined;
  private readonly server: SMTPServer;

  /** @param starttls whether it offers encryption, and then lets nobody log in without */
  constructor(tls: { key: string; cert: string }, { starttls = true } = {}) {
    this.server = new SMTPServer({
      ...tls,
      disabledCommands: starttls ? [] : ["STARTTLS"],
      allowInsecureAuth: false,
      authOptional: true,
      onAuth: ({ username, password }, _session, done) =>
        password === "password-of-mail"
          ? done(null, { user: username ?? "" })
          : done(new Error("authentication failed")),
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith("refused") ? new Error("no such user") : null),
      onData: (stream, session, done) => {
        let text = "";
        stream.setEncoding("utf8").on("data", (data: string) => (text += data));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          const one = {
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            user: String(session.user ?? ""),
            encrypted: session.secure,
            hello: session.hostNameAppearsAs,
            text,
          };
          this.received.push(one);
          this.onReceived?.(one);
          done();
        });
      },
    });
    // A client that ends a connection is not an error of the server.
    this.server.on("error", () => undefined);
  }

  /** @returns its port */
  async start(host = "127.0.0.1"): Promise<number> {
    await listening(this.server, host);
    return (this.server.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
