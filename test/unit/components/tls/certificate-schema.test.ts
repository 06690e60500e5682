import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { projectFile } from "../../../../tools/cli.ts";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import { manifestsOf } from "../../../../tools/evaluation/manifests.ts";
import { deployable, type Raw } from "../../../settings.ts";

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
}
interface Definition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}
interface Certificate {
  apiVersion: string;
  kind: string;
  spec: Record<string, unknown> & { privateKey: Record<string, unknown>; dnsNames: string[] };
}

const { spec: definition } = parse(
  readFileSync(projectFile("test/fixtures/cert-manager/certificates.crd.yaml"), "utf8"),
) as Definition;

/** Refuses fields that it does not name, as the API server does when it is asked to be strict. */
function strict(schema: Schema): Schema {
  const { properties, items, additionalProperties } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, strict(field)]),
      ),
      additionalProperties: additionalProperties ?? false,
    }),
    ...(items && { items: strict(items) }),
  };
}

function schemaOf(apiVersion: string): Schema {
  const version = definition.versions.find(({ name }) => `${definition.group}/${name}` === apiVersion);
  assert.ok(version?.served, `${apiVersion} is not served`);
  return strict(version.schema.openAPIV3Schema);
}

/** Why the API server would refuse it. */
function objections(certificate: Certificate): string[] {
  // Keywords and formats of Kubernetes, which describe and do not validate.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(schemaOf(certificate.apiVersion));
  validate(certificate);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, message, JSON.stringify(params)].join(" "),
  );
}

async function certificateOf(tls: Raw[string]): Promise<Certificate> {
  const config = Object.entries({ ...deployable(), tls }).map(
    ([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)] as const,
  );
  const { registrations } = await evaluate("prod", Object.fromEntries(config), [], {});
  const found = manifestsOf(registrations).find(({ manifest }) => manifest.kind === definition.names.kind);
  assert.ok(found, "no Certificate");
  return found.manifest as unknown as Certificate;
}

describe("cert-manager's own schema", function () {
  this.timeout(60_000);
  for (const [what, tls] of Object.entries<Record<string, unknown>>({
    "an Issuer": { issuer: "corporate" },
    "a ClusterIssuer": { issuer: "corporate", issuerKind: "ClusterIssuer" },
    "more names and addresses": {
      issuer: "corporate",
      names: ["db.example.org", "192.0.2.7", "2001:db8::7"],
    },
    "TLS 1.2": { issuer: "corporate", minimumVersion: "1.2" },
  }))
    it(`accepts what the program creates with ${what}, and every field of it is known`, async () => {
      const certificate = await certificateOf({ source: "cert-manager", ...tls });
      assert.deepEqual(objections(certificate), []);
      assert.ok(certificate.spec.dnsNames.length > 5);
    });

  describe("refuses", () => {
    let certificate: Certificate;
    before(async () => {
      certificate = await certificateOf({ source: "cert-manager", issuer: "corporate" });
    });
    const refused = (spec: object, why: RegExp) => {
      assert.match(objections({ ...certificate, spec: { ...certificate.spec, ...spec } }).join("\n"), why);
    };

    it("a field that it does not know", () => {
      refused({ dnsName: ["postgres"] }, /\/spec must NOT have additional properties .*dnsName/);
      refused(
        { privateKey: { ...certificate.spec.privateKey, algorithms: "ECDSA" } },
        /\/spec\/privateKey must NOT have additional properties .*algorithms/,
      );
    });

    it("a value that it does not take", () => {
      refused({ usages: ["servers auth"] }, /\/spec\/usages\/0 must be equal to one of/);
      refused(
        { privateKey: { ...certificate.spec.privateKey, size: "256" } },
        /\/spec\/privateKey\/size must be integer/,
      );
    });

    it("what has no Secret or no issuer", () => {
      refused({ secretName: undefined }, /must have required property 'secretName'/);
      refused({ issuerRef: undefined }, /must have required property 'issuerRef'/);
    });

    it("a version that is not served", () => {
      assert.throws(
        () => objections({ ...certificate, apiVersion: "cert-manager.io/v1alpha2" }),
        /not served/,
      );
    });
  });
});
