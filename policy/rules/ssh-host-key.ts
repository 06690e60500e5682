import { subjectOf } from "../resources.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { field, isMap, shown, textsIn, UNKNOWN } from "../values.ts";

const CARELESS = /StrictHostKeyChecking[= ]+(no|off|accept-new)|UserKnownHostsFile[= ]+\/dev\/null/i;
const KEY = /^(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+/;

export const sshHostKey = resourceRule({
  name: "ssh-host-key",
  asks: "SSH connections with a host key",
  description: "Connecting without a host key sends root's commands, and the key, to whichever host answers",
  level: "mandatory",
  check: (resource) => {
    if (!resource.type.startsWith("command:")) return [];
    const subject = subjectOf(resource);
    const findings: Finding[] = [];
    const connection = resource.inputs.connection;
    if (resource.type.startsWith("command:remote:")) {
      for (const { path, value } of [
        { path: "connection", value: connection },
        { path: "connection.proxy", value: field(connection, "proxy") },
      ]) {
        if (path !== "connection" && !isMap(value)) continue;
        const key = field(value, "hostKey");
        if (key === UNKNOWN && value !== UNKNOWN) continue;
        if (typeof key === "string" && KEY.test(key)) continue;
        // The whole connection is one secret in a preview when its private key is: judged again in the update.
        if (value === UNKNOWN) continue;
        findings.push({
          subject,
          why: `${path}.hostKey is ${shown(key)}`,
          remedy: `${path}.hostKey: what ssh-keyscan -t ed25519 <host> prints after the name; in this project node.sshHostKey`,
        });
      }
    }
    for (const { path, text } of textsIn(resource.inputs)) {
      if (!CARELESS.test(text)) continue;
      findings.push({
        subject,
        why: `${path} tells ssh to accept any host`,
        remedy: "a known_hosts file with the host's key",
      });
    }
    return findings;
  },
});
