/** The few calls of GitHub's REST API that the workflows need. */

/** A repository, reached with the run's own token. */
export interface Repository {
  get: <T>(path: string) => Promise<T>;
  /** All pages of a list. */
  list: <T>(path: string) => Promise<T[]>;
  send: <T>(method: "POST" | "PATCH", path: string, body: unknown) => Promise<T>;
}

/** The author of the comments and issues of a workflow's run. */
export const BOT = "github-actions[bot]";

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(
      `${name} is not set. A workflow has it or passes it with \`env:\`; by hand: export ${name}=…`,
    );
  }
  return value;
}

/** The repository that GITHUB_REPOSITORY names, with GITHUB_TOKEN, at GITHUB_API_URL. */
export function repositoryFromEnvironment(): Repository {
  const base = `${process.env.GITHUB_API_URL ?? "https://api.github.com"}/repos/${required("GITHUB_REPOSITORY")}`;
  const token = required("GITHUB_TOKEN");
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${token}`,
        "x-github-api-version": "2022-11-28",
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok) {
      const said = (await response.text()).slice(0, 300);
      throw new Error(`GitHub answered ${response.status} to ${method} ${path}: ${said}`);
    }
    return (await response.json()) as T;
  };
  return {
    get: (path) => call("GET", path),
    send: (method, path, body) => call(method, path, body),
    list: async <T>(path: string) => {
      const PAGE = 100;
      const all: T[] = [];
      for (let page = 1; ; page++) {
        const entries = await call<T[]>(
          "GET",
          `${path}${path.includes("?") ? "&" : "?"}per_page=${PAGE}&page=${page}`,
        );
        all.push(...entries);
        if (entries.length < PAGE) return all;
      }
    },
  };
}

/** What a comment and an issue have in common. */
export interface Post {
  id: number;
  body?: string | null;
  user?: { login: string } | null;
}

/** Whether a post carries the mark and is the bot's own, not somebody's who has copied the mark. */
export function isOurs(post: Post, mark: string): boolean {
  return post.user?.login === (process.env.COMMENT_AUTHOR ?? BOT) && (post.body ?? "").startsWith(mark);
}
