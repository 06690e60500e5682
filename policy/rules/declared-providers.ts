import { PROVIDER_ARGUMENTS } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-providers";
const PREFIX = "pulumi:providers:";

/** What arguments do, for whoever declares them. */
const CONSEQUENCES: Readonly<Record<string, string>> = {
  renderYamlToDirectory: "writes every object into files, Secrets in plain text, and deploys nothing",
  deleteUnreachable: "removes every object from the state while the cluster is unreachable",
  skipUpdateUnreachable: "skips updates while the cluster is unreachable",
  kubeClientSettings: "changes how the cluster is contacted",
  helmReleaseSettings: "is for Helm releases, which no rule sees",
  suppressDeprecationWarnings: "hides what the next Kubernetes version refuses",
  suppressHelmHookWarnings: "hides which hooks of a chart do not run",
};

export const declaredProviders = resourceRule<Declared>({
  name: NAME,
  asks: "providers and their arguments: only as declared",
  description: "Giving a provider an undeclared argument changes what happens to every object, now or later",
  level: "mandatory",
  schema: declaredSchema("Arguments of providers, `<package> <name> <argument>`"),
  check: ({ type, name, inputs }, config) => {
    if (!type.startsWith(PREFIX)) return [];
    const subject = `Provider/${name}`;
    const provider = `${type.slice(PREFIX.length)} ${name}`;
    const findings = Object.entries(inputs)
      .filter(([, value]) => value !== undefined)
      .flatMap(([argument, value]): Finding[] => {
        const line = `${provider} ${argument}`;
        const known = isDeclared(line, PROVIDER_ARGUMENTS, config);
        const withValue = isDeclared(`${line}=${String(value)}`, PROVIDER_ARGUMENTS, { declared: [] });
        if (known || withValue || value === UNKNOWN) return [];
        const does = CONSEQUENCES[argument];
        return [
          {
            subject,
            why: `the argument ${argument}, or its value, is not declared${does === undefined ? "" : `; it ${does}`}`,
            remedy: declarationOf(NAME, line),
          },
        ];
      });
    if (/[\n{]|apiVersion:/.test(textAt(inputs, "kubeconfig") ?? "")) {
      findings.push({
        subject,
        why: "kubeconfig holds a kubeconfig itself, with its credentials, instead of a path",
        remedy: "kubeconfig: the path of the file; in this project cluster.kubeconfig",
      });
    }
    return findings;
  },
});
