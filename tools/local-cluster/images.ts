import { createHash } from "node:crypto";
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { kubernetesSources, kubernetesVersion } from "./build.ts";
import { makeWhole, requireSpace } from "./disk.ts";
import { withLock } from "../lock.ts";
import { cacheRoot, digest } from "./paths.ts";
import { run } from "../processes.ts";

/** An image that is ready to import: a tar in OCI layout. */
export interface Image {
  reference: string;
  archive: string;
}

/** What the image's processes get unless a pod overrides it. */
interface Defaults {
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  StopSignal?: string;
  Volumes?: Record<string, object>;
  ExposedPorts?: Record<string, object>;
}

interface Definition {
  reference: string;
  /** Scripts under images/, lowest layer first. */
  layers: string[];
  defaults: Defaults;
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/16/bin";

/** Distinct names, so that nobody takes them for the images they stand in for. */
export const postgresImage = "localhost/transcript-pipeline/postgres-standin:16-pgvector";
export const dbmateImage = "localhost/transcript-pipeline/dbmate-standin:2.36.0";
export const pgbackrestImage = "localhost/transcript-pipeline/pgbackrest-standin:2.55";
/** Prometheus and postgres_exporter, each under its own name in /usr/bin. */
export const monitoringImage = "localhost/transcript-pipeline/monitoring-standin:2.53";

/** The configuration's fields that name an image, with the stand-ins, by section. */
export const STAND_INS = {
  database: { image: postgresImage },
  migration: { image: dbmateImage },
  // It has rclone and curl too.
  backup: { image: pgbackrestImage, dumpImage: pgbackrestImage },
  notify: { image: pgbackrestImage },
  monitoring: { exporterImage: monitoringImage, prometheusImage: monitoringImage },
} as const;

/** For the tests of backups alone: `npm run up` neither packs nor imports it. */
export const objectStoreImage = "localhost/transcript-pipeline/object-store:4.48";
export const sftpServerImage = "localhost/transcript-pipeline/sftp-server:10";
/** For the test of dumps in a newer PostgreSQL alone. */
export const newerPostgresImage = "localhost/transcript-pipeline/newer-postgres:17";
/** For the tests of secret stores alone: OpenBao and moto. */
export const secretStoresImage = "localhost/transcript-pipeline/secret-stores:2.7.2";
/** Fully qualified; otherwise containerd would not recognise it as the image it must keep. */
export const pauseImage = `localhost/transcript-pipeline/pause:${kubernetesVersion()}`;

const definitions: Definition[] = [
  { reference: pauseImage, layers: ["pause"], defaults: { Entrypoint: ["/pause"] } },
  {
    reference: postgresImage,
    layers: ["base", "postgres"],
    defaults: {
      // PGHOST because these client programs were built to look for the socket in /tmp.
      Env: [
        path,
        "LANG=C.UTF-8",
        "PG_MAJOR=16",
        "PGDATA=/var/lib/postgresql/data",
        "PGHOST=/var/run/postgresql",
      ],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["postgres"],
      StopSignal: "SIGINT",
      Volumes: { "/var/lib/postgresql/data": {} },
      ExposedPorts: { "5432/tcp": {} },
    },
  },
  {
    reference: dbmateImage,
    layers: ["base", "postgres", "dbmate"],
    defaults: { Env: [path, "LANG=C.UTF-8"], Entrypoint: ["/usr/local/bin/dbmate"], WorkingDir: "/" },
  },
  {
    reference: pgbackrestImage,
    layers: ["pgbackrest"],
    defaults: { Env: [path, "LANG=C.UTF-8"], Cmd: ["pgbackrest", "help"] },
  },
  {
    reference: monitoringImage,
    layers: ["prometheus"],
    defaults: { Env: [path, "LANG=C.UTF-8"], Cmd: ["prometheus", "--version"] },
  },
];

const objectStore: Definition = {
  reference: objectStoreImage,
  layers: ["base", "object-store"],
  defaults: { Env: [path, "LANG=C.UTF-8"], Cmd: ["weed", "version"] },
};

const sftpServer: Definition = {
  reference: sftpServerImage,
  layers: ["sftp-server"],
  defaults: { Env: [path, "LANG=C.UTF-8"], Cmd: ["/usr/sbin/sshd", "-D", "-e"] },
};

const newerPostgres: Definition = {
  reference: newerPostgresImage,
  layers: ["newer-postgres"],
  defaults: { Env: [path, "LANG=C.UTF-8"], Cmd: ["sleep", "infinity"] },
};

const secretStores: Definition = {
  reference: secretStoresImage,
  layers: ["python", "secret-stores"],
  defaults: { Env: [path, "LANG=C.UTF-8", "PYTHONPATH=/opt/moto"], Cmd: ["bao", "version"] },
};

/** Whether everything is fetched and packed. */
export function imagesAreBuilt(): boolean {
  return definitions.every((definition) => existsSync(archivePath(definition)));
}

/** Builds the images that the cache does not have yet. */
export function buildImages(log: (line: string) => void): Promise<Image[]> {
  return built(definitions, log);
}

/** Builds the image of an S3 server, seaweedfs, if the cache does not have it yet. */
export const buildObjectStoreImage = (log: (line: string) => void) => builtAlone(objectStore, log);

/** Builds the image of an SFTP server, if the cache does not have it yet. */
export const buildSftpServerImage = (log: (line: string) => void) => builtAlone(sftpServer, log);

/** Builds the image of a machine with PostgreSQL 17, if the cache does not have it yet. */
export const buildNewerPostgresImage = (log: (line: string) => void) => builtAlone(newerPostgres, log);

/** Builds the image with OpenBao and moto, if the cache does not have it yet. */
export const buildSecretStoresImage = (log: (line: string) => void) => builtAlone(secretStores, log);

async function builtAlone(definition: Definition, log: (line: string) => void): Promise<Image> {
  const [image] = await built([definition], log);
  if (image === undefined) throw new Error(`${definition.reference} was not built`);
  return image;
}

async function built(wanted: readonly Definition[], log: (line: string) => void): Promise<Image[]> {
  const missing = () => wanted.filter((definition) => !existsSync(archivePath(definition)));
  if (missing().length > 0) {
    await withLock(join(cacheRoot(), "images.lock"), log, async () => {
      for (const definition of missing()) await pack(definition, log);
    });
  }
  return wanted.map((definition) => ({
    reference: definition.reference,
    archive: archivePath(definition),
  }));
}

/**
 * The stand-in's programs, as a tar of a root file system: /usr/lib/postgresql/16 and what it needs. Built if missing.
 */
export function postgresLayer(log: (line: string) => void): Promise<string> {
  return withLock(join(cacheRoot(), "images.lock"), log, () => layerTar("postgres", log));
}

/** Prometheus, its tool and its exporter, as a tar of a root file system: in /usr/bin. Built if missing. */
export function prometheusLayer(log: (line: string) => void): Promise<string> {
  return withLock(join(cacheRoot(), "images.lock"), log, () => layerTar("prometheus", log));
}

async function pack(definition: Definition, log: (line: string) => void): Promise<void> {
  requireSpace(cacheRoot(), 1200, `packing ${definition.reference}`);
  log(`packing the image ${definition.reference}…`);
  const layers: string[] = [];
  for (const layer of definition.layers) layers.push(await layerTar(layer, log));
  await makeWhole(archivePath(definition), async (temporary) => {
    const layout = `${temporary}.layout`;
    rmSync(layout, { recursive: true, force: true });
    try {
      await writeLayout(layout, definition, layers);
      await run("tar", ["-cf", temporary, "-C", layout, "oci-layout", "index.json", "blobs"]);
    } finally {
      rmSync(layout, { recursive: true, force: true });
    }
  });
}

async function layerTar(layer: string, log: (line: string) => void): Promise<string> {
  const target = join(cacheRoot(), "images", `layer-${layer}-${layerKey(layer)}.tar`);
  if (existsSync(target)) return target;
  log(`  layer ${layer}…`);
  await makeWhole(target, async (temporary) => {
    const work = `${temporary}.work`;
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    try {
      const sources = layer === "pause" ? [await kubernetesSources(), kubernetesVersion()] : [];
      await run(script(layer), [temporary, work, ...sources], {
        // Version managers look for a .python-version or .npmrc from the current folder upwards.
        cwd: work,
      });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  return target;
}

/** Writes an image in the layout of the OCI image specification, version 1. */
async function writeLayout(
  layout: string,
  { reference, defaults }: Definition,
  layers: string[],
): Promise<void> {
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const add = (content: string): { digest: string; size: number } => {
    writeFileSync(join(blobs, digest(content)), content);
    return { digest: `sha256:${digest(content)}`, size: Buffer.byteLength(content) };
  };
  const mediaType = (kind: string): string => `application/vnd.oci.image.${kind}`;
  const described = [];
  for (const layer of layers) {
    const { hash, size } = await hashFile(layer);
    copyFileSync(layer, join(blobs, hash));
    described.push({ mediaType: mediaType("layer.v1.tar"), digest: `sha256:${hash}`, size });
  }
  const config = add(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: defaults,
      rootfs: { type: "layers", diff_ids: described.map((layer) => layer.digest) },
    }),
  );
  const manifest = add(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType("manifest.v1+json"),
      config: { mediaType: mediaType("config.v1+json"), ...config },
      layers: described,
    }),
  );
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: mediaType("manifest.v1+json"),
          ...manifest,
          annotations: { "io.containerd.image.name": reference },
        },
      ],
    }),
  );
}

async function hashFile(file: string): Promise<{ hash: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { hash: hash.digest("hex"), size };
}

function archivePath(definition: Definition): string {
  const key = digest(JSON.stringify([definition, definition.layers.map(layerKey)])).slice(0, 12);
  const name = definition.reference.slice(definition.reference.lastIndexOf("/") + 1).replace(":", "-");
  return join(cacheRoot(), "images", `${name}-${key}.tar`);
}

/** Changes with everything that could change the layer. */
function layerKey(layer: string): string {
  const inputs = [readFileSync(script(layer), "utf8")];
  if (layer === "pause") inputs.push(kubernetesVersion());
  if (layer === "postgres") inputs.push(readFileSync(join(dirname(script(layer)), "entrypoint.sh"), "utf8"));
  return digest(inputs.join("\0")).slice(0, 12);
}

function script(layer: string): string {
  return join(import.meta.dirname, "images", `${layer}.sh`);
}
