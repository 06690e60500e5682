/**
 * Logins of people and services, in addition to the owner: each is a member of exactly one group role of sql/bootstrap.
 * scripts/reconcile-logins.sh reads this format and creates them.
 */

import { LOGIN_SECRET_PREFIX } from "../kubernetes/names.ts";
import type { LoginKind } from "../../postgres/login-kinds.ts";

/** The only key of the Secret with every login. */
export const LOGINS_KEY = "credentials";

/** A role that can log in. */
export interface Login<Password = string> {
  name: string;
  kind: LoginKind;
  password: Password;
}

/** Name of a consumer's Secret: POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD of one login. */
export function loginSecretName(login: string): string {
  return `${LOGIN_SECRET_PREFIX}${login.replaceAll("_", "-")}`;
}

/**
 * The value of {@link LOGINS_KEY}: one line for each login with its kind, name and password. A single value, so that
 * applying the Secret replaces all of it: a removed login leaves nothing behind.
 *
 * @returns the text in parts, the passwords being parts of their own
 */
export function loginsText<Password>(logins: readonly Login<Password>[]): (string | Password)[] {
  return logins.flatMap(({ kind, name, password }) => [`${kind} ${name} `, password, "\n"]);
}

/** The key that says that each login has a key of its own: an empty Secret has none, and is not one without logins. */
const FORM_KEY = "form";

/** Whether a key is one of this form, which is not part of the other one. */
export const isKeyOfForm = (key: string) => key === FORM_KEY || /^[a-z]+\.[a-z_][a-z0-9_]*$/.test(key);

/**
 * What the Secret holds instead where each value is encrypted for itself: for each login the key `<kind>.<login>` with
 * its password, so that a new login needs no other one's.
 */
export function loginsTexts<Password>(
  logins: readonly Login<Password>[],
): Record<string, readonly (string | Password)[]> {
  return {
    [FORM_KEY]: ["<kind>.<login>\n"],
    ...Object.fromEntries(logins.map(({ kind, name, password }) => [`${kind}.${name}`, [password]])),
  };
}

/** Reads the value of {@link LOGINS_KEY}. */
export function loginsIn(text: string): Login[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [kind, name = "", ...password] = line.split(" ");
      return { kind: kind as LoginKind, name, password: password.join(" ") };
    });
}
