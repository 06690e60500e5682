/** Preflight: the operator of the secret store. */
import type { Check } from "../cluster-state.ts";

/** With a store, the cluster must have the kind of object that reads it: nothing else is changed before. */
export const checkSecretStore: Check = ({ store }, { secretSource }) => {
  if (secretSource !== "external-secrets" || store === undefined || store.versions.includes("v1")) return {};
  const found =
    store.versions.length === 0
      ? "the cluster does not have the External Secrets Operator"
      : `the cluster's External Secrets Operator has only ${store.versions.join(" and ")} of its API, and v1 is needed`;
  const message =
    `is external-secrets, but ${found}. Install version 0.16 or later: helm upgrade --install external-secrets ` +
    "external-secrets --repo https://charts.external-secrets.io -n external-secrets --create-namespace; or leave the values " +
    "with the stack: pulumi config set --path secretStore.source pulumi";
  return { problems: [{ key: "secretStore.source", message }] };
};
