/**
 * Finds the kubeconfig in the form that each program accepts. kubectl accepts a list of paths, but only in KUBECONFIG;
 * the engine's provider accepts a path or the file's text, but not a list; only a shell and the provider expand `~`.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { parse } from "yaml";

/** kubectl's environment variable, with one or more paths. */
export const KUBECONFIG_VARIABLE = "KUBECONFIG";

/** Whether a text is a kubeconfig itself, plain or in base64, and not the path of one. */
export function isKubeconfigText(text: string): boolean {
  if (/\n|^\s*\{|\bapiVersion\s*:|\bclusters\s*:|\bcurrent-context\s*:/.test(text)) return true;
  // Looks for "apiVersion" and "clusters" in the decoded base64.
  return (
    text.length > 255 &&
    /^[A-Za-z0-9+/=\s]+$/.test(text) &&
    /apiVersion|clusters/.test(Buffer.from(text, "base64").toString())
  );
}

/** Replaces `~` in a path with the home directory, as a shell does. Does not change `~name`. */
export function withoutTilde(path: string, home: string = homedir()): string {
  return path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path;
}

/** A kubeconfig cannot be used. The message never repeats its text. */
export class KubeconfigError extends Error {}

const ASK_FOR_FILE =
  "holds a kubeconfig itself, not the path of one (it is not shown here). Write it to a file that only you can read";

interface Named {
  name?: unknown;
  context?: { cluster?: unknown; user?: unknown };
}

interface Kubeconfig {
  "current-context"?: unknown;
  contexts?: Named[];
  clusters?: Named[];
  users?: Named[];
}

function readKubeconfig(path: string): Kubeconfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new KubeconfigError(
      `kubeconfig ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown reason"}`,
    );
  }
  try {
    const parsed: unknown = parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // The parser's message quotes the lines around the error, which may hold a token.
  }
  throw new KubeconfigError(`${path} is not a kubeconfig: it is not a YAML map. See: kubectl config view`);
}

const named = (entries: Named[] | undefined, name: unknown) =>
  Array.isArray(entries) ? entries.find((entry) => entry?.name === name) : undefined;

/** The paths in the variable's value, in kubectl's order. */
export function kubeconfigPaths(written: string, home?: string): string[] {
  return written
    .split(delimiter)
    .filter((path) => path !== "")
    .map((path) => withoutTilde(path, home));
}

/**
 * The value of KUBECONFIG for kubectl, with `~` replaced.
 *
 * @returns undefined if the variable is not set
 * @throws KubeconfigError if it holds a kubeconfig's text instead of a path
 */
export function kubeconfigVariable(
  environment: NodeJS.ProcessEnv = process.env,
  home?: string,
): string | undefined {
  const written = environment[KUBECONFIG_VARIABLE];
  if (written === undefined || written === "") return undefined;
  if (isKubeconfigText(written)) {
    throw new KubeconfigError(
      `${KUBECONFIG_VARIABLE} ${ASK_FOR_FILE}: (umask 077; printf '%s' "$${KUBECONFIG_VARIABLE}" >kubeconfig) && ` +
        `export ${KUBECONFIG_VARIABLE}=$PWD/kubeconfig`,
    );
  }
  return kubeconfigPaths(written, home).join(delimiter);
}

/**
 * The single kubeconfig for the engine's provider, where kubectl would merge several: the first that has the context, if
 * its cluster and its user are in the same file.
 *
 * @param context @default the current one
 * @returns undefined if the variable names fewer than two files, which the provider reads itself
 * @throws KubeconfigError if no single file is sufficient
 */
export function providerKubeconfig(
  context: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
  home?: string,
): string | undefined {
  const paths = kubeconfigPaths(kubeconfigVariable(environment, home) ?? "", home);
  const written = environment[KUBECONFIG_VARIABLE];
  if (paths.length < 2) return paths[0] === written ? undefined : paths[0];
  // kubectl ignores paths in the list that do not exist.
  const files = paths.filter((path) => existsSync(path)).map((path) => ({ path, ...readKubeconfig(path) }));
  const current = files
    .map((file) => file["current-context"])
    .find((name) => name !== undefined && name !== "");
  const wanted = context ?? current;
  const found = files.find(({ contexts }) => named(contexts, wanted) !== undefined);
  const list = paths.join(", ");
  if (found === undefined) {
    throw new KubeconfigError(
      wanted === undefined
        ? `none of the kubeconfigs in ${KUBECONFIG_VARIABLE} (${list}) sets a current context. See: kubectl config get-contexts`
        : `context ${JSON.stringify(wanted)} is not in any of the kubeconfigs in ${KUBECONFIG_VARIABLE}: ${list}. See: kubectl config get-contexts`,
    );
  }
  const parts = named(found.contexts, wanted)?.context;
  if (!named(found.clusters, parts?.cluster) || !named(found.users, parts?.user)) {
    throw new KubeconfigError(
      `context ${JSON.stringify(wanted)} is in ${found.path}, but its cluster or its user is in another ` +
        `kubeconfig in ${KUBECONFIG_VARIABLE}, and Pulumi's provider reads only one file. Merge them: ` +
        "(umask 077; kubectl config view --flatten >kubeconfig) && pulumi config set --path cluster.kubeconfig $PWD/kubeconfig",
    );
  }
  return found.path;
}
