/** Reads an image's digest from its registry: https://github.com/opencontainers/distribution-spec, without a login. */
import { createHash } from "node:crypto";

/** An image's name, split into parts. */
export interface ImageName {
  /** As written, without a digest. */
  tagged: string;
  registry: string;
  repository: string;
  tag: string;
  digest: string | undefined;
}

/** Splits an image's name as docker and containerd read it: `pgvector/pgvector:1` is Docker Hub's. */
export function parseImage(image: string): ImageName {
  const [tagged = "", digest] = image.split("@");
  const match = /^(?:((?:[^/]*[.:][^/]*|localhost))\/)?([^:]+):([\w][\w.-]*)$/.exec(tagged);
  if (!match) throw new Error(`${image} is not an image with a tag`);
  const [, registry = "docker.io", name = "", tag = ""] = match;
  const official = registry === "docker.io" && !name.includes("/");
  return { tagged, registry, repository: official ? `library/${name}` : name, tag, digest };
}

/** All types of manifest; the index, for several architectures, first. */
const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const TIMEOUT = 20_000;

/** A registry's address. Docker Hub's differs from its name; a registry on this machine has no TLS. */
function originOf(registry: string): string {
  if (registry === "docker.io") return "https://registry-1.docker.io";
  return /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(registry) ? `http://${registry}` : `https://${registry}`;
}

async function get(url: string, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new Error(`${new URL(url).host} cannot be reached: ${reason}`, { cause: error });
  }
}

/** An anonymous token for pulling, from the address in the registry's refusal. */
async function anonymousToken(refusal: Response): Promise<string> {
  const challenge = refusal.headers.get("www-authenticate") ?? "";
  const fields = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const realm = fields.get("realm");
  if (!/^bearer /i.test(challenge) || realm === undefined) {
    throw new Error("requires a login");
  }
  const url = new URL(realm);
  for (const name of ["service", "scope"]) {
    const value = fields.get(name);
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const answer = await get(url.href, {});
  if (!answer.ok) throw new Error(`issues no anonymous token: ${answer.status} from ${url.host}`);
  const { token, access_token: accessToken } = (await answer.json()) as {
    token?: string;
    access_token?: string;
  };
  const found = token ?? accessToken;
  if (found === undefined) throw new Error(`${url.host} answered without a token`);
  return found;
}

/**
 * Resolves an image's tag to the digest of the manifest itself, not only to what the registry reports.
 *
 * @throws Error with one line that names the image
 */
export async function resolveDigest(image: ImageName): Promise<string> {
  const url = `${originOf(image.registry)}/v2/${image.repository}/manifests/${image.tag}`;
  try {
    let answer = await get(url, { accept: ACCEPT });
    if (answer.status === 401) {
      const token = await anonymousToken(answer);
      answer = await get(url, { accept: ACCEPT, authorization: `Bearer ${token}` });
    }
    if (answer.status === 404) throw new Error("the registry has no such tag");
    if (!answer.ok) throw new Error(`the registry answered ${answer.status}`);
    const digest = `sha256:${createHash("sha256")
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest("hex")}`;
    const said = answer.headers.get("docker-content-digest");
    if (said !== null && said !== digest) {
      throw new Error(`the registry reports ${said}, but the manifest it sent has digest ${digest}`);
    }
    return digest;
  } catch (error) {
    throw new Error(`${image.tagged}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
