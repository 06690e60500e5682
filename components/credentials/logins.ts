/**
 * Logins of people and services, beside the owner's: each is a member of one group role of sql/bootstrap, and of
 * nothing else. scripts/reconcile-logins.sh makes them, and reads what is written here.
 */

import { LOGIN_SECRET_PREFIX } from "../kubernetes/names.ts";
import type { LoginKind } from "../../postgres/login-kinds.ts";

/** The one key of the Secret with every login. */
export const LOGINS_KEY = "credentials";

/** A role that can log in. */
export interface Login {
  name: string;
  kind: LoginKind;
  password: string;
}

/** Name of the Secret that a consumer takes: POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD of one login. */
export function loginSecretName(login: string): string {
  return `${LOGIN_SECRET_PREFIX}${login.replaceAll("_", "-")}`;
}

/**
 * What stands under {@link LOGINS_KEY}: a line for each login, its kind, its name and its password. One value and not
 * one for each login, so that whoever applies the Secret replaces all of it: a removed login leaves nothing behind.
 */
export function loginsText(logins: readonly Login[]): string {
  return logins.map(({ kind, name, password }) => `${kind} ${name} ${password}\n`).join("");
}

/** The logins of such a text. */
export function loginsIn(text: string): Login[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [kind, name = "", ...password] = line.split(" ");
      return { kind: kind as LoginKind, name, password: password.join(" ") };
    });
}
