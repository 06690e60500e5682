/** The kinds of the External Secrets Operator for tests: their schemas, and what they refuse. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { projectFile } from "../tools/cli.ts";

/** An OpenAPI schema of Kubernetes. */
type Schema = Record<string, unknown> & { properties?: Record<string, Schema>; items?: Schema };

/** The schemas of version 0.16.2, by kind. */
export const schemas = JSON.parse(
  readFileSync(projectFile("test/fixtures/external-secrets/schemas.json"), "utf8"),
) as Record<"ExternalSecret" | "SecretStore", Schema>;

/** The same schema, which refuses unknown fields instead of dropping them as the API server does. */
function strict(schema: Schema): Schema {
  const properties = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, strict(property)]),
  );
  return {
    ...schema,
    ...(schema.properties && { properties, additionalProperties: false }),
    ...(schema.items && { items: strict(schema.items) }),
  };
}

/** What the schema of its kind finds wrong with an object, and which fields it does not know. */
export function objectionsTo(object: Record<string, unknown>): string[] {
  const schema = schemas[object.kind as keyof typeof schemas];
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  // The API server has a schema of its own for metadata.
  ajv.validate({ ...strict(schema), properties: { ...strict(schema).properties, metadata: {} } }, object);
  return (ajv.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** Its definition, as a cluster takes it. */
export function definitionOf(kind: keyof typeof schemas): object {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.external-secrets.io` },
    spec: {
      group: "external-secrets.io",
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemas[kind] },
          subresources: { status: {} },
        },
      ],
    },
  };
}
