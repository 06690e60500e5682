/** Names of CI's identities and of what belongs to them. */
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import type { Use } from "./rights.ts";

/**
 * The namespace of the identities. Not the database's: whoever may run pods in a namespace may run them as any of its
 * service accounts.
 */
export const ACCESS_NAMESPACE = `${APPLICATION}-ci`;

/** Name of an identity's service account, roles and bindings, and what the names of its policies begin with. */
export function accessName(use: Use): string {
  return `postgres-ci-${use}`;
}

/** An identity's user name, as the API server sees it. */
export function userName(use: Use): string {
  return `system:serviceaccount:${ACCESS_NAMESPACE}:${accessName(use)}`;
}

/** Label on every object of an identity, with the use as its value. */
export const ACCESS_LABEL = `${APPLICATION}/access`;

/** Annotation of the service account: when the newest token expires, ISO 8601. */
export const EXPIRES_ANNOTATION = `${APPLICATION}/token-expires`;
