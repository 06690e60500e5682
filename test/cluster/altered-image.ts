/** Altered images: a stand-in with files missing, replaced or added, under a tag that does not say so. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { buildImages } from "../../tools/local-cluster/images.ts";
import { ctr, theCluster } from "./support.ts";

interface Described {
  mediaType: string;
  digest: string;
  size: number;
}

/** What is different in an altered image. */
export interface Alteration {
  /** Contents by path, without a leading slash; undefined for a file of the stand-in that is not in it. */
  files: Readonly<Record<string, string | Buffer | undefined>>;
  /** More environment of every process, as `NAME=value`. */
  environment?: readonly string[];
  /** The stand-in. @default the server's */
  of?: string;
}

/**
 * Makes an image and imports it into the cluster.
 *
 * @returns its name
 */
export async function alteredImage(
  tag: string,
  repository: string,
  { files, environment = [], of = theCluster().postgresImage }: Alteration,
): Promise<string> {
  const [, kind = ""] = /\/([^/:]+):[^/]*$/.exec(of) ?? [];
  const name = `localhost/${repository}/${kind === "postgres-standin" ? "pgvector-standin" : kind}:${tag}`;
  const found = (await buildImages(() => undefined)).find(({ reference }) => reference === of);
  const work = mkdtempSync(join(tmpdir(), "altered-image-"));
  try {
    const [layout, layer] = [join(work, "layout"), join(work, "layer")];
    mkdirSync(layout);
    execFileSync("tar", ["-xf", found?.archive ?? "", "-C", layout]);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(layer, dirname(path)), { recursive: true });
      // How a layer marks a file of a lower layer as deleted:
      // https://github.com/opencontainers/image-spec/blob/main/layer.md
      if (text === undefined) writeFileSync(join(layer, dirname(path), `.wh.${basename(path)}`), "");
      else writeFileSync(join(layer, path), text);
    }
    execFileSync("tar", ["--owner=0", "--group=0", "-cf", join(work, "layer.tar"), "-C", layer, "."]);

    const blob = (digest: string) => join(layout, "blobs/sha256", digest.replace("sha256:", ""));
    const add = (mediaType: string, content: Buffer | string): Described => {
      const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
      writeFileSync(blob(digest), content);
      return { mediaType, digest, size: Buffer.byteLength(content) };
    };
    const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as unknown;
    const index = read(join(layout, "index.json")) as { manifests: Described[] };
    const [entry] = index.manifests;
    const manifest = read(blob(entry?.digest ?? "")) as { config: Described; layers: Described[] };
    const config = read(blob(manifest.config.digest)) as {
      config: { Env?: string[] };
      rootfs: { diff_ids: string[] };
    };
    const added = add("application/vnd.oci.image.layer.v1.tar", readFileSync(join(work, "layer.tar")));
    config.rootfs.diff_ids.push(added.digest);
    config.config.Env = [...(config.config.Env ?? []), ...environment];
    manifest.layers.push(added);
    manifest.config = add(manifest.config.mediaType, JSON.stringify(config));
    index.manifests = [
      {
        ...add(entry?.mediaType ?? "", JSON.stringify(manifest)),
        annotations: { "io.containerd.image.name": name },
      } as Described,
    ];
    writeFileSync(join(layout, "index.json"), JSON.stringify(index));
    const archive = join(work, "image.tar");
    execFileSync("tar", ["-cf", archive, "-C", layout, "oci-layout", "index.json", "blobs"]);
    await ctr("images", "import", "--local=false", archive);
  } finally {
    rmSync(work, { recursive: true });
  }
  return name;
}
