/**
 * The SealedSecret that stands for a Secret: encrypted values, which only the controller in the cluster can open, and
 * what anybody may read. It says which parts its texts are made of, so that what is sealed can be compared with what the
 * program needs, without a key.
 */

/** Part of a text: what anybody may read, or the name of a secret value. */
export type NamedPart = string | { readonly leaf: string };

/** Texts by key of a Secret, with names instead of secret values. */
export type NamedTexts = Readonly<Record<string, readonly NamedPart[]>>;

/** The object that the Sealed Secrets controller makes a Secret of. */
export interface SealedSecret {
  apiVersion: typeof SEALED_SECRETS_API;
  kind: typeof SEALED_SECRET;
  metadata: {
    name: string;
    namespace: string;
    labels: Readonly<Record<string, string>>;
    annotations: Record<string, string>;
    [field: string]: unknown;
  };
  spec: {
    /** By key of the Secret. */
    encryptedData: Record<string, string>;
    template: {
      metadata: { labels: Readonly<Record<string, string>>; annotations: Record<string, string> };
      type: "Opaque";
      /** Texts without secret values, by key of the Secret: Go templates. */
      data?: Record<string, string>;
    };
  };
  [field: string]: unknown;
}

/** End of the name of a value's public half, such as a certificate. Anybody may read it; it changes with the value. */
export const PUBLIC_HALF = ".public";

export const SEALED_SECRETS_API = "bitnami.com/v1alpha1";
export const SEALED_SECRET = "SealedSecret";

/** Annotation with the {@link NamedTexts} that are sealed, as JSON. */
export const SEALED_TEXTS = "transcript-pipeline/sealed-texts";

/**
 * Annotations of the Secret. The first lets the controller change a Secret that is there already. With the second, the
 * Secret does not belong to the SealedSecret: it stays when the SealedSecret is deleted, because the server needs it
 * whoever writes it.
 */
const OF_SECRET = {
  "sealedsecrets.bitnami.com/managed": "true",
  "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
} as const;

/** Annotations that let values be opened under another name or in another namespace. */
export const WIDER_SCOPES = [
  "sealedsecrets.bitnami.com/cluster-wide",
  "sealedsecrets.bitnami.com/namespace-wide",
] as const;

/** A text as a Go template that gives this text. */
export const asTemplate = (text: string) => text.replaceAll("{{", '{{"{{"}}');

/** The text of such a template. */
export const fromTemplate = (template: string) => template.replaceAll('{{"{{"}}', "{{");

/** A text that anybody may read, or undefined if it is sealed or not there. */
export function readableText({ spec }: Pick<SealedSecret, "spec">, key: string): string | undefined {
  const template = spec.template.data?.[key];
  return template === undefined ? undefined : fromTemplate(template);
}

/** The object. */
export function sealedSecretOf(
  { name, namespace, labels }: { name: string; namespace: string; labels: Readonly<Record<string, string>> },
  texts: NamedTexts,
  encryptedData: Readonly<Record<string, string>>,
  readable: Readonly<Record<string, string>>,
): SealedSecret {
  const data = Object.fromEntries(Object.entries(readable).map(([key, text]) => [key, asTemplate(text)]));
  return {
    apiVersion: SEALED_SECRETS_API,
    kind: SEALED_SECRET,
    metadata: { name, namespace, labels, annotations: { [SEALED_TEXTS]: JSON.stringify(texts) } },
    spec: {
      encryptedData: { ...encryptedData },
      template: {
        metadata: { labels, annotations: { ...OF_SECRET } },
        type: "Opaque",
        ...(Object.keys(data).length > 0 && { data }),
      },
    },
  };
}

/** What is sealed in an object, or undefined if `render --seal` has not made it. */
export function sealedTexts({ metadata }: Pick<SealedSecret, "metadata">): NamedTexts | undefined {
  const text = (metadata as Partial<SealedSecret["metadata"]>).annotations?.[SEALED_TEXTS];
  if (text === undefined) return undefined;
  try {
    const texts = JSON.parse(text) as unknown;
    return isTexts(texts) ? texts : undefined;
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is NamedTexts {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const isPart = (part: unknown) =>
    typeof part === "string" ||
    (typeof part === "object" && part !== null && typeof (part as { leaf?: unknown }).leaf === "string");
  return Object.values(value).every((parts) => Array.isArray(parts) && parts.every(isPart));
}
