import assert from "node:assert/strict";
import {
  type SealedSecret,
  sealedTexts,
  type NamedPart,
} from "../../../../components/secrets/sealed-secret.ts";
import { sealingCertificate } from "../../../../tools/sealing/certificate.ts";
import {
  needsValues,
  planned,
  sealedObjects,
  SealingError,
  type Values,
} from "../../../../tools/sealing/plan.ts";
import { type Unsealed, valuesInForce } from "../../../../tools/sealing/unsealed.ts";
import { made } from "./certificates.ts";
import { opened } from "./opened.ts";

const { certificate, key } = made("rsa:3072");
const { publicKey } = sealingCertificate(certificate, "c.pem", new Date("2026-12-01"));
const namespace = "transcript-pipeline";
const labels = { app: "x" };

const leaf = (name: string) => ({ leaf: name });
const secret = (
  name: string,
  texts: Record<string, NamedPart[]>,
  values: Record<string, string>,
): Unsealed => ({
  name,
  namespace,
  labels,
  texts,
  values,
});

/** A stack with one login for each name. */
function stack(...logins: string[]): Unsealed[] {
  const login = (name: string) => leaf(`login-${name}`);
  return [
    secret(
      "postgres-secret",
      { POSTGRES_USER: ["owner"], POSTGRES_PASSWORD: [leaf("owner")] },
      { owner: "made-owner" },
    ),
    secret(
      "postgres-logins",
      Object.fromEntries(logins.map((name) => [`readonly.${name}`, [login(name)]])),
      Object.fromEntries(logins.map((name) => [`login-${name}`, `made-${name}`])),
    ),
    ...logins.map((name) =>
      secret(
        `postgres-login-${name}`,
        { POSTGRES_PASSWORD: [login(name)] },
        { [`login-${name}`]: `made-${name}` },
      ),
    ),
    secret(
      "postgres-backup",
      { "keys.conf": ["[global]\nkey=", leaf("access"), "\nsecret=", leaf("secret"), "\n"] },
      { access: "AK-in-config", secret: "SK-in-config" },
    ),
    secret(
      "postgres-ca",
      { "tls.key": [leaf("authority")], "ca.crt": [leaf("authority.public")] },
      { authority: "made-key", "authority.public": "made {{certificate}}" },
    ),
  ];
}

const nothing: Values = { given: new Map(), inForce: new Map() };
const byName = (objects: readonly SealedSecret[]) =>
  new Map(objects.map((object) => [object.metadata.name, object]));
const of = (objects: ReadonlyMap<string, SealedSecret>, name: string): SealedSecret =>
  objects.get(name) ?? assert.fail(name);

/** What the controller makes of an object. */
function unsealed({ metadata, spec }: SealedSecret): Record<string, string> {
  return {
    ...Object.fromEntries(
      Object.entries(spec.encryptedData).map(([at, text]) => [at, opened(text, metadata, key)]),
    ),
    ...Object.fromEntries(
      Object.entries(spec.template.data ?? {}).map(([at, text]) => [at, text.replaceAll('{{"{{"}}', "{{")]),
    ),
  };
}

const seal = (
  secrets: readonly Unsealed[],
  before: ReadonlyMap<string, SealedSecret> = new Map(),
  reseal: string[] = [],
  values: Values = nothing,
) => sealedObjects(planned(secrets, before, { reseal }), values, publicKey);

/** The error. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SealingError, String(error));
    return error.message;
  }
  return assert.fail("it was accepted");
}

describe("what `render --seal` seals", () => {
  const first = seal(stack("alice"));
  const objects = byName(first.objects);

  it("is every Secret: secret values sealed key by key, the rest in plain, where the controller puts it back", () => {
    assert.deepEqual(unsealed(of(objects, "postgres-secret")), {
      POSTGRES_USER: "owner",
      POSTGRES_PASSWORD: "made-owner",
    });
    assert.deepEqual(unsealed(of(objects, "postgres-backup")), {
      "keys.conf": "[global]\nkey=AK-in-config\nsecret=SK-in-config\n",
    });
    assert.deepEqual(unsealed(of(objects, "postgres-ca")), {
      "tls.key": "made-key",
      "ca.crt": "made {{certificate}}",
    });
    assert.deepEqual(first.fresh, ["access", "authority", "login-alice", "owner", "secret"]);
    assert.equal(first.readable.get("authority.public"), "made {{certificate}}");
    const text = JSON.stringify(first.objects);
    for (const value of ["made-owner", "made-alice", "made-key", "AK-in-config", "SK-in-config"])
      assert.ok(!text.includes(value), value);
  });

  it("is strict, and names what is in it, so that it can be compared without a key", () => {
    for (const { metadata, spec } of first.objects) {
      assert.ok(!JSON.stringify([metadata, spec.template]).includes("-wide"));
      assert.equal(metadata.namespace, namespace);
    }
    assert.deepEqual(sealedTexts(of(objects, "postgres-secret")), stack()[0]?.texts);
  });

  it("is kept to the byte when it is done again, and needs no value then", () => {
    const again = planned(stack("alice"), objects);
    assert.equal(needsValues(again), false);
    const { objects: same, sealed } = sealedObjects(again, nothing, publicKey);
    assert.deepEqual([same, sealed], [first.objects, []]);
  });

  it("is the new login alone when one is added, without the others' passwords", () => {
    const { objects: now, sealed } = seal(stack("alice", "bob"), objects);
    assert.deepEqual(sealed, ["postgres-logins/readonly.bob", "postgres-login-bob/POSTGRES_PASSWORD"]);
    const logins = of(byName(now), "postgres-logins");
    assert.equal(
      logins.spec.encryptedData["readonly.alice"],
      of(objects, "postgres-logins").spec.encryptedData["readonly.alice"],
    );
    assert.deepEqual(unsealed(logins), { "readonly.alice": "made-alice", "readonly.bob": "made-bob" });
    assert.deepEqual(byName(now).get("postgres-secret"), objects.get("postgres-secret"));
  });

  it("is one value everywhere with --reseal, even if another one is in force", () => {
    const inForce = new Map([["login-alice", "old"]]);
    const {
      objects: now,
      sealed,
      fresh,
    } = seal(stack("alice"), objects, ["login-alice"], {
      ...nothing,
      inForce,
    });
    assert.deepEqual(sealed, ["postgres-logins/readonly.alice", "postgres-login-alice/POSTGRES_PASSWORD"]);
    assert.deepEqual(fresh, ["login-alice"]);
    const names = byName(now);
    assert.deepEqual(unsealed(of(names, "postgres-logins")), { "readonly.alice": "made-alice" });
    assert.deepEqual(unsealed(of(names, "postgres-login-alice")), { POSTGRES_PASSWORD: "made-alice" });
    assert.match(
      refusal(() => planned(stack(), objects, { reseal: ["alice"] })),
      /^--reseal alice: there is no such value\. There are: access, authority, owner, secret$/,
    );
  });

  it("refuses a given value that there is not, or that is sealed already", () => {
    assert.match(
      refusal(() => planned(stack(), objects, { given: ["ownr"] })),
      /^--values ownr: there is no such value\. There are: access, authority, owner, secret$/,
    );
    assert.equal(
      refusal(() => planned(stack(), objects, { given: ["owner"] })),
      "--values owner: it is sealed already. To replace it, add: --reseal owner",
    );
    assert.equal(planned(stack(), objects, { given: ["owner"], reseal: ["owner"] }).wanted.length, 1);
  });

  it("makes an authority's key and certificate again, together", () => {
    const { sealed, objects: now } = seal(
      stack().map((one) =>
        one.name === "postgres-ca" ? { ...one, values: { authority: "k2", "authority.public": "c2" } } : one,
      ),
      objects,
      ["authority"],
    );
    assert.deepEqual(sealed, ["postgres-ca/tls.key"]);
    assert.deepEqual(unsealed(of(byName(now), "postgres-ca")), { "tls.key": "k2", "ca.crt": "c2" });
  });

  it("keeps an authority's certificate, which other objects repeat, whatever was made up now", () => {
    const others = stack().map((one) => ({ ...one, values: { authority: "k2", "authority.public": "c2" } }));
    assert.equal(seal(others, objects).readable.get("authority.public"), "made {{certificate}}");
  });

  it("takes what is given, then what is in force, then what is configured or made up", () => {
    const values = {
      given: new Map([["owner", "given-owner"]]),
      inForce: new Map([
        ["owner", "live-owner"],
        ["access", "live-access"],
      ]),
    };
    const { objects: now, fresh } = seal(stack(), new Map(), [], values);
    assert.equal(unsealed(of(byName(now), "postgres-secret")).POSTGRES_PASSWORD, "given-owner");
    assert.deepEqual(unsealed(of(byName(now), "postgres-backup")), {
      "keys.conf": "[global]\nkey=live-access\nsecret=SK-in-config\n",
    });
    assert.deepEqual(fresh, ["authority", "secret"]);
  });

  it("is refused when a value is sealed in one place and missing in another, with the way out", () => {
    const before = new Map([...objects].filter(([name]) => name !== "postgres-login-alice"));
    const message = refusal(() => seal(stack("alice"), before));
    assert.match(
      message,
      /^login-alice is sealed in postgres-logins \(key readonly\.alice\) and not yet as POSTGRES_PASSWORD of postgres-login-alice;/,
    );
    assert.ok(message.endsWith("--reseal login-alice"), message);
    // The cluster says which value it is.
    const inForce = new Map([["login-alice", "made-alice"]]);
    const { sealed } = seal(stack("alice"), before, [], { ...nothing, inForce });
    assert.deepEqual(sealed, ["postgres-login-alice/POSTGRES_PASSWORD"]);
    assert.equal(seal(stack("alice"), before, ["login-alice"]).sealed.length, 2);
  });

  it("is refused when nobody knows a value, with how to give it", () => {
    const without = stack().map((one) =>
      one.name === "postgres-backup" ? { ...one, values: { access: "" } } : one,
    );
    assert.match(
      refusal(() => seal(without)),
      /^access has no value: .* Write `access: <value>` into a file outside of the project, and add: --values <file>$/,
    );
  });

  it("is sealed again when the text around the value, the name or the namespace has changed", () => {
    const changed = stack().map((one) =>
      one.name === "postgres-backup"
        ? { ...one, texts: { "keys.conf": ["key2=", leaf("access"), leaf("secret")] } }
        : one,
    );
    assert.deepEqual(seal(changed, objects).sealed, ["postgres-backup/keys.conf"]);
    const moved = stack("alice").map((one) => ({ ...one, namespace: "other" }));
    assert.equal(seal(moved, objects).sealed.length, 5);
    const renamed = stack().map((one) =>
      one.name === "postgres-secret" ? { ...one, texts: { ...one.texts, POSTGRES_USER: ["other"] } } : one,
    );
    const { sealed, objects: now } = seal(renamed, objects);
    assert.deepEqual(sealed, []);
    assert.equal(unsealed(of(byName(now), "postgres-secret")).POSTGRES_USER, "other");
  });

  it("treats what somebody else has sealed as not sealed", () => {
    const foreign = structuredClone(of(objects, "postgres-secret"));
    foreign.metadata.annotations = {};
    assert.deepEqual(
      seal(stack(), new Map([["postgres-secret", foreign]])).sealed[0],
      "postgres-secret/POSTGRES_PASSWORD",
    );
  });
});

describe("values in force", () => {
  it("are read out of the texts that contain them", () => {
    const live = new Map([
      ["postgres-secret", { POSTGRES_USER: "owner", POSTGRES_PASSWORD: "p w" }],
      ["postgres-backup", { "keys.conf": "[global]\nkey=a$b\nsecret=c\n" }],
      ["postgres-login-alice", { POSTGRES_PASSWORD: "from the login" }],
      // As the program writes it without sealing.
      ["postgres-logins", { credentials: "readonly alice from the login\n" }],
    ]);
    assert.deepEqual(Object.fromEntries(valuesInForce(stack("alice"), live)), {
      owner: "p w",
      access: "a$b",
      secret: "c",
      "login-alice": "from the login",
    });
  });

  it("are not those of another text, and not empty ones", () => {
    const live = new Map([
      ["postgres-secret", { POSTGRES_PASSWORD: "" }],
      ["postgres-backup", { "keys.conf": "[global]\nkey=a\n" }],
    ]);
    assert.equal(valuesInForce(stack(), live).size, 0);
  });

  it("are an authority's key and certificate together, or neither", () => {
    const half = new Map([["postgres-ca", { "tls.key": "k" }]]);
    assert.equal(valuesInForce(stack(), half).size, 0);
    const whole = new Map([["postgres-ca", { "tls.key": "k", "ca.crt": "c" }]]);
    assert.equal(valuesInForce(stack(), whole).size, 2);
  });
});
