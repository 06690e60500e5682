/** What the program is told of the live cluster, and what acts on it. */
import type * as pulumi from "@pulumi/pulumi";
import type { NetworkPolicies } from "./components/kubernetes/names.ts";
import type { Announcements } from "./components/server/server.ts";

/** What was found in the live cluster, and the hooks that act on it during a deployment. */
export interface Live {
  /** The kubeconfig for the provider. @default the provider's own lookup */
  kubeconfig?: string | undefined;
  /**
   * Whether the cluster has no server of this stack that the trial of the settings would protect.
   * @default there may be one
   */
  isNewServer?: boolean | undefined;
  /** Size that the claim in the cluster requested, a Kubernetes quantity. @default no claim */
  claimed?: string | undefined;
  /** Whether the server accepts logins over the network without encryption today. @default there is no server */
  acceptsPlain?: boolean | undefined;
  /**
   * Whether network policies are deployed with the server, which stays so where nothing is configured.
   * @default enforced, as for a new server
   */
  networkPolicies?: NetworkPolicies | undefined;
  /** When a restore drill last proved the backups, ISO 8601. @default never, or not known */
  lastProvenRestore?: string | undefined;
  /** Names of Secrets in the cluster that no secret store makes, and that the engine may have in its state. @default none */
  heldSecrets?: readonly string[] | undefined;
  /** Socket of the SSH agent. @default none */
  agentSocket?: string | undefined;
  /** Report what a change does to the running server. */
  announcements?: Announcements | undefined;
  /** Says what to do with the passphrase of the backups when it is generated. */
  announcePassphrase?: pulumi.ResourceHook | undefined;
  /** Runs before the claim is created. */
  beforeClaim?: pulumi.ResourceHook | undefined;
  /** Runs before a Secret is created. */
  beforeSecret?: pulumi.ResourceHook | undefined;
  /** Runs after a Secret is created. */
  afterSecret?: pulumi.ResourceHook | undefined;
  /** Runs before a SealedSecret is created: lets its controller change the Secret that is there. */
  handOverSecret?: pulumi.ResourceHook | undefined;
  /** Runs before a Job is created. */
  beforeJob?: pulumi.ResourceHook | undefined;
  /** Runs after an object that the running pod mounts has changed. */
  afterChange?: pulumi.ResourceHook | undefined;
  /** Runs when the server accepts connections and the network policies are there. */
  whenServing?: (() => Promise<void>) | undefined;
  /** Runs when everything is deployed. Throwing fails the deployment. */
  whenDeployed?: (() => Promise<void>) | undefined;
}
