/** The component of the server's certificate: who signs it, who renews it, and what clients trust. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { PASSWORD_LENGTH } from "../credentials/passwords.ts";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import {
  AUTHORITY_NAME,
  CERTIFICATE_CONTAINER,
  CERTIFICATE_SECRET,
  HEADLESS_NAME,
  RECONCILER_CONTAINER,
  SERVER_CONTAINER,
  SERVER_NAME,
  SERVER_POD,
  SETTINGS_CONTAINER,
  TLS_NAME,
} from "../kubernetes/names.ts";
import { inMemory, type PodVolume, restrictedContainer, withLog } from "../kubernetes/pods.ts";
import { probesNextToServer } from "../kubernetes/probes.ts";
import { keptRunning, keptRunningFiles, scriptFiles, SCRIPTS_PATH } from "../kubernetes/scripts.ts";
import { type Leaf, LEAVES, type Text } from "../secrets/description.ts";
import { readableText, PUBLIC_HALF } from "../secrets/sealed-secret.ts";
import { secretFrom, type SecretSource } from "../secrets/source.ts";
import { type ServerTrust, TRUST_PATH } from "../postgres-endpoint.ts";
import type { ServerExtension } from "../server/extension.ts";
import type { Authority } from "./authority.ts";

/** Where the server finds its certificate, in memory. */
const CERTIFICATE_PATH = "/run/tls";
/** Where the server's container finds its script; that of the certificate's container has them at the usual place. */
const PREPARATION_PATH = "/usr/local/lib/transcript-pipeline-tls";

/** Who signs the server's certificate. */
export type CertificateSource =
  /** Nobody: connections are not encrypted. */
  | { kind: "none" }
  /** The first of the stack's authorities. Clients trust all of them. */
  | { kind: "generated" }
  /** A Secret with tls.crt, tls.key and ca.crt that exists already. */
  | { kind: "existing"; secretName: string }
  /** cert-manager, by this issuer. */
  | { kind: "cert-manager"; issuer: { name: string; kind: "Issuer" | "ClusterIssuer" } };

/** Arguments of {@link Tls}. */
export interface TlsArgs {
  namespace: pulumi.Input<string>;
  /** The stack: part of the authorities' names. */
  identity: string;
  /** The cluster's DNS domain. */
  clusterDomain: string;
  /** An image with bash and openssl: the server's. */
  image: pulumi.Input<string>;
  source: CertificateSource;
  /**
   * Who keeps the credentials. The authority's key is not one that a person keeps: it is in the state, unless it is
   * sealed in the project.
   */
  secrets: SecretSource;
  /** Names of the stack's authorities, which are parts of those of their certificates. */
  authorities: readonly string[];
  /**
   * Whether clients trust the Secret's ca.crt, or the roots of their systems. Of a generated one, always its authority.
   * @default its authority
   */
  trust?: "authority" | "system" | undefined;
  /** With the roots of the clients' systems, first the name by which they connect. Names and addresses in addition to those inside the cluster. @default none */
  names?: readonly string[] | undefined;
  /** The oldest version of TLS that the server speaks. */
  minimumVersion: "1.2" | "1.3";
  /** Whether logins over the network are refused without encryption. */
  encryptedOnly: boolean;
  /** Whether what the authorities are generated from is protected from deletion. */
  protect: boolean;
  /** Runs after a change of an object that the running pod mounts. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
}

/** The same, of a server that has a certificate. */
type EncryptingArgs = TlsArgs & { source: Exclude<CertificateSource, { kind: "none" }> };

/** The names under which the server is reached. */
export function serverNames(namespace: string, domain: string, others: readonly string[] = []): string[] {
  const service = `${SERVER_NAME}.${namespace}`;
  const headless = `${HEADLESS_NAME}.${namespace}`;
  const pod = `${SERVER_POD}.${headless}`;
  return [
    ...new Set([
      ...[`${service}.svc.${domain}`, `${service}.svc`, service, SERVER_NAME],
      ...[headless, pod].flatMap((name) => [`${name}.svc.${domain}`, `${name}.svc`, name]),
      // By `kubectl port-forward`.
      ...["localhost", "127.0.0.1", "::1"],
      ...others,
    ]),
  ];
}

/** The server's certificate. What it adds to the server's pod is an extension, and the server knows nothing of it. */
export class Tls extends pulumi.ComponentResource {
  /** Undefined: connections are not encrypted. */
  readonly extension: ServerExtension | undefined;
  /** The name by which clients connect. @default the Service's */
  readonly host: string | undefined;
  /** What clients verify the server with. Undefined: it has no certificate. */
  readonly trust: ServerTrust | undefined;

  constructor(name: string, args: TlsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Tls", name, {}, opts);
    const { namespace, source } = args;
    // Kept whoever signs: they are protected, a change of the source must not delete one, and a change back gives clients
    // the authority that they know.
    const secrets = args.authorities.map(
      (authority, index) =>
        new random.RandomPassword(
          `${name}-authority-${authority}`,
          { length: PASSWORD_LENGTH, special: false },
          // One that no longer signs can be removed.
          { parent: this, protect: args.protect && index === 0 },
        ).result,
    );
    if (source.kind === "none") {
      this.registerOutputs({});
      return;
    }
    const child = {
      parent: this,
      deleteBeforeReplace: true,
      ...hooked({ afterUpdate: args.afterChange }),
    };
    const metadata = (objectName: string) => ({ name: objectName, namespace, labels: labelsOf("tls") });

    const names = pulumi
      .output(namespace)
      .apply((known) => serverNames(known, args.clusterDomain, args.names));
    const scripts = new k8s.core.v1.ConfigMap(
      TLS_NAME,
      {
        metadata: metadata(TLS_NAME),
        data: {
          ...scriptFiles(import.meta.url, "certificate.sh", "prepare-certificate.sh"),
          ...keptRunningFiles(),
          names: names.apply((all) => all.map((one) => `${one}\n`).join("")),
        },
      },
      child,
    ).metadata.name;

    const { secretName, ca } = this.certificate({ ...args, source }, secrets, metadata, names);
    // No public authority signs a name of the cluster.
    this.host = args.trust === "system" ? args.names?.[0] : undefined;
    this.trust = args.trust === "system" ? {} : { ca };
    const host = this.host ?? names.apply(([service = ""]) => service);
    this.extension = extensionOf(args, { scripts, secretName, ca, host });
    this.registerOutputs({});
  }

  /** The Secret that the certificate, or who signs it, is in; and what clients trust. */
  private certificate(
    { namespace, source, secrets: keeper, identity, authorities, afterChange }: EncryptingArgs,
    secrets: readonly pulumi.Output<string>[],
    metadata: (objectName: string) => k8s.types.input.meta.v1.ObjectMeta,
    names: pulumi.Output<string[]>,
  ): { secretName: pulumi.Input<string>; ca: NonNullable<ServerTrust["ca"]> } {
    const child = { parent: this, deleteBeforeReplace: true, ...hooked({ afterUpdate: afterChange }) };
    // Only this key of the Secret, which also has the private one.
    const caOf = (secretName: pulumi.Input<string>) => ({
      secret: { secretName, defaultMode: 0o440, optional: true, items: [{ key: "ca.crt", path: "ca.crt" }] },
    });
    switch (source.kind) {
      case "existing":
        return { secretName: source.secretName, ca: caOf(source.secretName) };
      case "cert-manager": {
        const certificate = new k8s.apiextensions.CustomResource(
          CERTIFICATE_SECRET,
          {
            apiVersion: "cert-manager.io/v1",
            kind: "Certificate",
            metadata: metadata(CERTIFICATE_SECRET),
            spec: {
              secretName: CERTIFICATE_SECRET,
              // libpq's channel binding fails with Ed25519.
              privateKey: { algorithm: "ECDSA", size: 256, encoding: "PKCS8", rotationPolicy: "Always" },
              dnsNames: names.apply((all) => all.filter((one) => !isAddress(one))),
              ipAddresses: names.apply((all) => all.filter(isAddress)),
              usages: ["digital signature", "server auth"],
              issuerRef: { group: "cert-manager.io", ...source.issuer },
            },
          },
          child,
        );
        const secretName = certificate.metadata.apply(() => CERTIFICATE_SECRET);
        return { secretName, ca: caOf(secretName) };
      }
      case "generated": {
        const all = secrets.map((generated, index) =>
          generated.apply(async (secret): Promise<Authority> => {
            // Only an `up` knows the secret, so a preview does not load what computes with it.
            const { authorityFrom } = await import("./authority.ts");
            return authorityFrom(secret, authorityName(identity, authorities[index] ?? ""));
          }),
        );
        const [signing] = all;
        // What it is computed from is a secret, and a certificate is not.
        const bundle = pulumi.unsecret(
          pulumi.all(all).apply((known) => known.map(({ certificate }) => certificate).join("")),
        );
        const certificate = pulumi.output(signing).apply((authority) => authority?.certificate ?? "");
        const key = pulumi.secret(pulumi.output(signing).apply((authority) => authority?.key ?? ""));
        const isSealed =
          keeper.kind === "unsealed" ||
          (keeper.kind === "sealed-secrets" && keeper.objects.has(AUTHORITY_NAME));
        const secretName = isSealed
          ? secretFrom(
              keeper,
              {
                name: AUTHORITY_NAME,
                namespace,
                labels: labelsOf("tls"),
                texts: sealedAuthority(authorities, key, certificate),
              },
              { parent: this },
            )
          : new k8s.core.v1.Secret(
              AUTHORITY_NAME,
              {
                metadata: metadata(AUTHORITY_NAME),
                type: "Opaque",
                stringData: { "tls.crt": certificate, "tls.key": key, "ca.crt": bundle },
              },
              {
                ...child,
                ...hooked({
                  afterUpdate: afterChange,
                  // What was sealed must not come back.
                  ...(keeper.kind === "pulumi" && {
                    beforeCreate: keeper.beforeCreate,
                    afterCreate: keeper.afterCreate,
                  }),
                }),
              },
            ).metadata.name;
        const sealed = keeper.kind === "sealed-secrets" ? keeper.objects.get(AUTHORITY_NAME) : undefined;
        const trusted = new k8s.core.v1.ConfigMap(
          AUTHORITY_NAME,
          {
            metadata: { ...metadata(AUTHORITY_NAME), namespace },
            // What clients trust is the authority whose key is sealed, not the state's.
            data: { "ca.crt": (sealed && readableText(sealed, "ca.crt")) ?? bundle },
          },
          child,
        );
        return {
          secretName,
          ca: { configMap: { name: trusted.metadata.name, optional: true } },
        };
      }
    }
  }
}

/**
 * The texts of an authority that is sealed.
 *
 * @throws RunError if there are several: the key of one that does not sign yet is in no Secret, so it would be lost
 */
function sealedAuthority(
  authorities: readonly string[],
  key: pulumi.Output<string>,
  certificate: pulumi.Output<string>,
): Record<string, Text> {
  const [name = "", ...others] = authorities;
  if (others.length > 0)
    throw new pulumi.RunError(
      `tls.authorities: has ${authorities.length} names, and an authority whose key is sealed is the only one. Keep ` +
        `the authorities in the state instead: delete the file of ${AUTHORITY_NAME} from the folder with what is sealed`,
    );
  const half: Leaf = { leaf: LEAVES.authority(name) + PUBLIC_HALF, value: certificate };
  return { "tls.crt": [half], "tls.key": [{ leaf: LEAVES.authority(name), value: key }], "ca.crt": [half] };
}

const isAddress = (name: string) => /^[0-9.]+$|:/.test(name);

/** The common name of an authority, at most 64 characters (RFC 5280, ub-common-name). */
function authorityName(identity: string, authority: string): string {
  return `${identity} database CA ${authority}`.slice(-64);
}

/** What TLS adds to the server's pod. The authority's key is in one container alone, which has nothing else. */
function extensionOf(
  args: TlsArgs,
  objects: {
    scripts: pulumi.Input<string>;
    secretName: pulumi.Input<string>;
    ca: NonNullable<ServerTrust["ca"]>;
    host: pulumi.Input<string>;
  },
): ServerExtension {
  const { source, trust = "authority" } = args;
  const current = `${CERTIFICATE_PATH}/current`;
  const volumes: PodVolume[] = [
    {
      name: "tls-scripts",
      source: { configMap: { name: objects.scripts } },
      mounts: {
        [SERVER_CONTAINER]: { path: PREPARATION_PATH, readOnly: true },
        [SETTINGS_CONTAINER]: { path: PREPARATION_PATH, readOnly: true },
        [CERTIFICATE_CONTAINER]: { path: SCRIPTS_PATH, readOnly: true },
      },
    },
    inMemory("tls", "1Mi", {
      // Written to by the server's container only where nobody else has made a certificate.
      [SERVER_CONTAINER]: { path: CERTIFICATE_PATH },
      [SETTINGS_CONTAINER]: { path: CERTIFICATE_PATH },
      [CERTIFICATE_CONTAINER]: { path: CERTIFICATE_PATH },
      [RECONCILER_CONTAINER]: { path: CERTIFICATE_PATH, readOnly: true },
    }),
    {
      name: "tls-secret",
      // A missing one must not keep the server from starting.
      source: { secret: { secretName: objects.secretName, defaultMode: 0o440, optional: true } },
      mounts: { [CERTIFICATE_CONTAINER]: { path: "/etc/tls", readOnly: true } },
    },
    {
      name: "tls-trust",
      source: objects.ca,
      mounts: {
        [CERTIFICATE_CONTAINER]: { path: "/etc/tls-trust", readOnly: true },
        // For `kubectl exec`: a client there verifies the server as others do.
        [SERVER_CONTAINER]: { path: TRUST_PATH, readOnly: true },
      },
    },
    inMemory("tls-tmp", "1Mi", { [CERTIFICATE_CONTAINER]: { path: "/tmp" } }),
  ];
  return {
    name: "tls",
    settings: {
      ssl: "on",
      ssl_cert_file: `${current}/tls.crt`,
      ssl_key_file: `${current}/tls.key`,
      ssl_min_protocol_version: `TLSv${args.minimumVersion}`,
      // Of TLS 1.2: with forward secrecy and authenticated encryption only (RFC 7525, 4.2).
      ssl_ciphers: "ECDHE+AESGCM:ECDHE+CHACHA20",
    },
    encryptedOnly: args.encryptedOnly,
    preparation: `${PREPARATION_PATH}/prepare-certificate.sh`,
    volumes,
    sidecars: [
      {
        name: CERTIFICATE_CONTAINER,
        image: args.image,
        ...restrictedContainer,
        command: keptRunning("certificate.sh", `${CERTIFICATE_PATH}/heartbeat`),
        ...probesNextToServer(`${CERTIFICATE_PATH}/heartbeat`),
        env: [
          { name: "SOURCE", value: source.kind === "generated" ? "generated" : "secret" },
          { name: "HOST", value: objects.host },
          { name: "TRUST", value: source.kind === "generated" ? "authority" : trust },
        ],
        resources: withLog({
          requests: { cpu: "10m", memory: "16Mi" },
          limits: { cpu: "500m", memory: "64Mi" },
        }),
      },
    ],
    watched: [`${current}/tls.crt`],
  };
}
