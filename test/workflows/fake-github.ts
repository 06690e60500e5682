/** The few GitHub API calls that the workflows make, answered from memory, on loopback. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Post {
  id: number;
  number: number;
  body: string;
  state: string;
  title?: string;
  labels: string[];
  user: { login: string };
  comments: Post[];
  pull_request?: object;
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** A repository with issues and comments. A pull request is an issue too. */
export class FakeGitHub {
  static readonly token = "ghs_0123456789";
  readonly issues: Post[] = [];
  readonly requests: string[] = [];
  private readonly server: Server;
  private next = 1;

  private constructor() {
    this.server = createServer((request, response) => {
      this.answer(request)
        .then(({ status, body }) => {
          response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
        })
        .catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async start(): Promise<FakeGitHub> {
    const fake = new FakeGitHub();
    await new Promise<void>((resolve) => fake.server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  /** The environment of a workflow's run. */
  get environment(): Record<string, string> {
    return {
      GITHUB_API_URL: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      GITHUB_REPOSITORY: "owner/name",
      GITHUB_TOKEN: FakeGitHub.token,
    };
  }

  post(fields: Partial<Post>): Post {
    const id = this.next++;
    return {
      id,
      number: id,
      body: "",
      state: "open",
      labels: [],
      user: { login: "github-actions[bot]" },
      comments: [],
      ...fields,
    };
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const url = new URL(request.url ?? "", "http://fake");
    const method = request.method ?? "";
    this.requests.push(`${method} ${url.pathname}`);
    if (request.headers.authorization !== `Bearer ${FakeGitHub.token}`) {
      return { status: 401, body: { message: "Bad credentials" } };
    }
    const path = url.pathname.replace("/repos/owner/name", "");
    const body = await bodyOf(request);
    const page = Number(url.searchParams.get("page") ?? 1);
    const size = Number(url.searchParams.get("per_page") ?? 30);
    const pageOf = (posts: Post[]) => posts.slice((page - 1) * size, page * size);

    if (path === "/issues" && method === "GET") {
      const label = url.searchParams.get("labels");
      return {
        status: 200,
        body: pageOf(
          this.issues.filter(
            ({ state, labels }) => state === "open" && (label === null || labels.includes(label)),
          ),
        ),
      };
    }
    if (path === "/issues" && method === "POST") {
      const issue = this.post(body);
      this.issues.push(issue);
      return { status: 201, body: issue };
    }
    const ofComment = /^\/issues\/comments\/(\d+)$/.exec(path);
    if (ofComment && method === "PATCH") {
      const comment = this.issues
        .flatMap(({ comments }) => comments)
        .find(({ id }) => id === Number(ofComment[1]));
      if (!comment) return { status: 404, body: { message: "Not Found" } };
      return { status: 200, body: Object.assign(comment, body) };
    }
    const ofIssue = /^\/issues\/(\d+)(\/comments)?$/.exec(path);
    const issue = this.issues.find(({ number }) => number === Number(ofIssue?.[1]));
    if (!ofIssue || !issue) return { status: 404, body: { message: "Not Found" } };
    if (ofIssue[2] === undefined && method === "PATCH")
      return { status: 200, body: Object.assign(issue, body) };
    if (ofIssue[2] !== undefined && method === "GET") return { status: 200, body: pageOf(issue.comments) };
    if (ofIssue[2] !== undefined && method === "POST") {
      const comment = this.post(body);
      issue.comments.push(comment);
      return { status: 201, body: comment };
    }
    return { status: 405, body: { message: "Method Not Allowed" } };
  }
}
