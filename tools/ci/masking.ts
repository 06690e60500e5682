/** Keeps what the environment holds in confidence out of everything that is printed or published. */

/** Variables whose value is a secret as a whole. */
const SECRETS = [
  "PULUMI_ACCESS_TOKEN",
  "PULUMI_CONFIG_PASSPHRASE",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AZURE_STORAGE_KEY",
  "AZURE_CLIENT_SECRET",
  "GITHUB_TOKEN",
];

/** The secret values of a kubeconfig: keys, certificates, tokens and passwords. */
const KUBECONFIG_SECRETS =
  /^\s*(?:[a-z-]+-data|token|password|id-token|refresh-token):\s*["']?([^\s"']{6,})/gm;

/** The secret values of an environment. */
export function secretsOf(env: NodeJS.ProcessEnv): string[] {
  const whole = SECRETS.flatMap((name) => env[name] ?? []);
  const kubeconfig = [...(env.KUBECONFIG_CONTENT ?? "").matchAll(KUBECONFIG_SECRETS)].map(
    ([, value]) => value ?? "",
  );
  // Longest first, or a short one inside a long one would leave the rest of it readable.
  return [...whole, ...kubeconfig].filter((value) => value.length >= 4).sort((a, b) => b.length - a.length);
}

/** The text with every secret value replaced. */
export function masked(text: string, secrets: readonly string[] = secretsOf(process.env)): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
}
