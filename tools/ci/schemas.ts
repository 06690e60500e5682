/**
 * JSON schemas of Kubernetes' own objects, for kubeconform, from the OpenAPI document in Kubernetes' Go module: the
 * same version as the local cluster's, checksummed by Go, and independent of sites that serve schemas.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesVersion } from "../local-cluster/build.ts";
import { run } from "../processes.ts";

/** kubeconform, as `go run` takes it. */
export const KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0";

interface Schema {
  type?: string;
  format?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
  [field: string]: unknown;
}

/** The document's types as serialized, refusing every field that they do not have. */
function strict(name: string, schema: Schema): Schema {
  // Both are written as a number or a text, whatever `type` says.
  if (schema.format === "int-or-string" || name.endsWith(".Quantity"))
    return { oneOf: [{ type: "string" }, { type: "number" }] };
  const { properties } = schema;
  if (!properties) return schema;
  return {
    ...schema,
    properties: Object.fromEntries(
      Object.entries(properties).map(([field, entry]) => [field, strict("", entry)]),
    ),
    additionalProperties: schema.additionalProperties ?? false,
  };
}

/**
 * Writes one schema for each kind.
 *
 * @param document the OpenAPI 2 document of the API server
 * @returns how kubeconform finds them in the directory
 */
export function writeSchemas(document: { definitions: Record<string, Schema> }, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const definitions = Object.fromEntries(
    Object.entries(document.definitions).map(([name, schema]) => [name, strict(name, schema)]),
  );
  writeFileSync(join(directory, "_definitions.json"), JSON.stringify({ definitions }));
  for (const [name, schema] of Object.entries(document.definitions)) {
    const kinds = schema["x-kubernetes-group-version-kind"];
    // Types such as DeleteOptions belong to every group, and are not objects.
    if (kinds?.length !== 1) continue;
    const [{ group, version, kind }] = kinds as [{ group: string; version: string; kind: string }];
    const suffix = [group.split(".")[0], version].filter((part) => part !== "").join("-");
    writeFileSync(
      join(directory, `${kind.toLowerCase()}-${suffix}.json`),
      JSON.stringify({ $ref: `_definitions.json#/definitions/${name}` }),
    );
  }
  return join(directory, "{{.ResourceKind}}{{.KindSuffix}}.json");
}

/** The OpenAPI document in Kubernetes' Go module, which Go downloads once and checks. */
export async function kubernetesOpenApi(): Promise<{ definitions: Record<string, Schema> }> {
  const module = `k8s.io/kubernetes@v${kubernetesVersion()}`;
  // Outside the checkout, so that none of its go.mod files applies.
  const { Dir } = JSON.parse(await run("go", ["mod", "download", "-json", module], { cwd: tmpdir() })) as {
    Dir: string;
  };
  return JSON.parse(readFileSync(join(Dir, "api/openapi-spec/swagger.json"), "utf8")) as {
    definitions: Record<string, Schema>;
  };
}
