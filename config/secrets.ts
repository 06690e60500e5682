/** The section `secrets`: values that are encrypted in the stack's file. */
import { password, privateKey } from "./fields.ts";
import type { Section } from "./reader.ts";

export const secrets = {
  databasePassword: password({ description: "Password of the owner. Default: generated, 40 characters" }),
  superuserPassword: password({ description: "Password of `postgres`. Default: generated, 40 characters" }),
  sshPrivateKey: privateKey({ description: "Private key of `node.sshUser`. Default: the SSH agent" }),
} as const satisfies Section;
