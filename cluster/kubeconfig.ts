/**
 * Which kubeconfig is meant. kubectl, the engine's provider and people do not mean the same by one: kubectl takes a list
 * of paths from KUBECONFIG alone; the provider takes a path or the file's text, but no list; only a shell and the
 * provider know `~`. Here all of them become what each of the programs takes.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { parse } from "yaml";

/** Environment variable with one path or several, as kubectl has it. */
export const KUBECONFIG_VARIABLE = "KUBECONFIG";

/** Whether a text is a kubeconfig itself, plain or in base64, where the path of one belongs. */
export function isKubeconfigText(text: string): boolean {
  if (/\n|^\s*\{|\bapiVersion\s*:|\bclusters\s*:|\bcurrent-context\s*:/.test(text)) return true;
  // "apiVersion", '{"apiVersion' and "clusters" in base64, at each of the three places that a byte can have in it.
  return (
    text.length > 255 &&
    /^[A-Za-z0-9+/=\s]+$/.test(text) &&
    /apiVersion|clusters/.test(Buffer.from(text, "base64").toString())
  );
}

/** A path whose `~` is replaced by the home directory, as a shell would have done. `~name` stays as it is. */
export function withoutTilde(path: string, home: string = homedir()): string {
  return path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path;
}

/** A kubeconfig cannot be used. The message never repeats its text. */
export class KubeconfigError extends Error {}

const ASK_FOR_FILE =
  "holds a kubeconfig itself, where the path of one belongs (it is not repeated here). Write it to a file that only you " +
  "can read";

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
    // The parser's message shows the lines around the error, which may hold a token.
  }
  throw new KubeconfigError(`${path} is not a kubeconfig: it is not a YAML map. See: kubectl config view`);
}

const named = (entries: Named[] | undefined, name: unknown) =>
  Array.isArray(entries) ? entries.find((entry) => entry?.name === name) : undefined;

/** What the environment says of kubeconfigs: `paths` in kubectl's order. */
export function kubeconfigPaths(written: string, home?: string): string[] {
  return written
    .split(delimiter)
    .filter((path) => path !== "")
    .map((path) => withoutTilde(path, home));
}

/**
 * The value of KUBECONFIG for kubectl, with `~` replaced.
 *
 * @returns undefined where the variable is not set
 * @throws KubeconfigError when it holds a kubeconfig's text instead of a path
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
 * The one kubeconfig for the engine's provider, where kubectl would take several: the first that has the context, as
 * kubectl merges them, provided that its cluster and its user are in the same file.
 *
 * @param context @default the current one
 * @returns undefined where the variable names fewer than two files, which the provider reads by itself
 * @throws KubeconfigError when no single file will do
 */
export function providerKubeconfig(
  context: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
  home?: string,
): string | undefined {
  const paths = kubeconfigPaths(kubeconfigVariable(environment, home) ?? "", home);
  const written = environment[KUBECONFIG_VARIABLE];
  if (paths.length < 2) return paths[0] === written ? undefined : paths[0];
  // kubectl takes no offence at a path of the list that is not there.
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
        ? `none of the kubeconfigs in ${KUBECONFIG_VARIABLE} (${list}) says which context is the current one. See: kubectl config get-contexts`
        : `context ${JSON.stringify(wanted)} is in none of the kubeconfigs in ${KUBECONFIG_VARIABLE}: ${list}. See: kubectl config get-contexts`,
    );
  }
  const parts = named(found.contexts, wanted)?.context;
  if (!named(found.clusters, parts?.cluster) || !named(found.users, parts?.user)) {
    throw new KubeconfigError(
      `context ${JSON.stringify(wanted)} is in ${found.path}, but its cluster or its user is in another of the ` +
        `kubeconfigs in ${KUBECONFIG_VARIABLE}, and Pulumi's provider reads one file. Make one of them: ` +
        "(umask 077; kubectl config view --flatten >kubeconfig) && pulumi config set --path cluster.kubeconfig $PWD/kubeconfig",
    );
  }
  return found.path;
}
