/**
 * The restricted Pod Security Standard, with the baseline that it includes:
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
import { type Container, type Pod, volumesOf } from "../pods.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, isMap, listAt, mapAt, shown, textAt } from "../values.ts";

type Problem = Pick<Finding, "why" | "remedy">;

const VOLUME_TYPES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];
const SYSCTLS = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
];
const SELINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

function podProblems(pod: Pod): Problem[] {
  const problems: Problem[] = [];
  for (const name of ["hostNetwork", "hostPID", "hostIPC"]) {
    if ((pod.spec[name] ?? false) !== false) {
      problems.push({ why: `spec.${name} is ${shown(pod.spec[name])}`, remedy: `no ${name}` });
    }
  }
  for (const volume of volumesOf(pod)) {
    const types = Object.keys(volume).filter((key) => key !== "name");
    if (types.length > 0 && types.every((type) => VOLUME_TYPES.includes(type))) continue;
    problems.push({
      why: `volume ${textAt(volume, "name")} is of type ${types.join(", ") || "none"}`,
      remedy: "a persistentVolumeClaim, or another type that reaches no file of the node",
    });
  }
  for (const sysctl of listAt(pod.spec, "securityContext", "sysctls")) {
    if (SYSCTLS.includes(textAt(sysctl, "name") ?? "")) continue;
    problems.push({ why: `it sets the sysctl ${shown(field(sysctl, "name"))}`, remedy: "no such sysctl" });
  }
  for (const [key, profile] of Object.entries(mapAt(pod.metadata, "annotations"))) {
    if (!key.startsWith("container.apparmor.security.beta.kubernetes.io/")) continue;
    if (profile === "runtime/default" || String(profile).startsWith("localhost/")) continue;
    problems.push({ why: `annotation ${key} is ${shown(profile)}`, remedy: "runtime/default" });
  }
  return problems;
}

/** What neither a pod's nor a container's security context may say. */
function contextProblems(context: Record<string, unknown>): Problem[] {
  const problems: Problem[] = [];
  const objection = (path: string, value: unknown, remedy: string) =>
    problems.push({ why: `securityContext.${path} is ${shown(value)}`, remedy });
  if ((field(context, "windowsOptions", "hostProcess") ?? false) !== false) {
    objection(
      "windowsOptions.hostProcess",
      field(context, "windowsOptions", "hostProcess"),
      "no hostProcess",
    );
  }
  const apparmor = field(context, "appArmorProfile", "type");
  if (apparmor !== undefined && apparmor !== "RuntimeDefault" && apparmor !== "Localhost") {
    objection("appArmorProfile.type", apparmor, `appArmorProfile: { type: "RuntimeDefault" }, or none`);
  }
  const selinux = mapAt(context, "seLinuxOptions");
  if (!SELINUX_TYPES.includes(textAt(selinux, "type") ?? "")) {
    objection("seLinuxOptions.type", selinux.type, "container_t, or none");
  }
  for (const name of ["user", "role"]) {
    if ((selinux[name] ?? "") !== "") objection(`seLinuxOptions.${name}`, selinux[name], `no ${name}`);
  }
  // Beyond the standard: root's group may read its files on the node.
  for (const name of ["runAsGroup", "fsGroup"]) {
    if (context[name] === 0) objection(name, 0, "a group above 0; 999 is the image's postgres");
  }
  if (context.runAsUser === 0) objection("runAsUser", 0, "a user above 0; 999 is the image's postgres");
  return problems;
}

function containerProblems(pod: Pod, { body }: Container): Problem[] {
  const context = mapAt(body, "securityContext");
  const said = (...path: string[]) => field(body, "securityContext", ...path);
  const problems = contextProblems(context);
  const own = (path: string, value: unknown, remedy: string) =>
    problems.push({ why: `securityContext.${path} is ${shown(value)}`, remedy });
  if ((context.privileged ?? false) !== false) own("privileged", context.privileged, "no privileged");
  if (context.allowPrivilegeEscalation !== false) {
    own("allowPrivilegeEscalation", said("allowPrivilegeEscalation"), "allowPrivilegeEscalation: false");
  }
  if (!listAt(context, "capabilities", "drop").includes("ALL")) {
    own("capabilities.drop", said("capabilities", "drop"), `capabilities: { drop: ["ALL"] }`);
  }
  const added = listAt(context, "capabilities", "add").filter((name) => name !== "NET_BIND_SERVICE");
  if (added.length > 0) own("capabilities.add", added, "no capability except NET_BIND_SERVICE");
  if (!["Default", ""].includes(textAt(context, "procMount") ?? (context.procMount === undefined ? "" : "?")))
    own("procMount", context.procMount, "no procMount");
  // The container's value counts, else the pod's.
  const nonRoot = said("runAsNonRoot") ?? field(pod.spec, "securityContext", "runAsNonRoot");
  if (nonRoot !== true)
    own("runAsNonRoot", nonRoot, "runAsNonRoot: true, here or in the pod's securityContext");
  const seccomp =
    said("seccompProfile", "type") ?? field(pod.spec, "securityContext", "seccompProfile", "type");
  if (seccomp !== "RuntimeDefault" && seccomp !== "Localhost") {
    own(
      "seccompProfile.type",
      seccomp,
      `seccompProfile: { type: "RuntimeDefault" }, here or in the pod's securityContext`,
    );
  }
  for (const port of listAt(body, "ports")) {
    if ((field(port, "hostPort") ?? 0) !== 0) {
      problems.push({ why: `a port has hostPort ${shown(field(port, "hostPort"))}`, remedy: "no hostPort" });
    }
  }
  const handlers = [
    ...["livenessProbe", "readinessProbe", "startupProbe"].map((name) => ({ name, handler: body[name] })),
    ...["postStart", "preStop"].map((name) => ({ name, handler: field(body, "lifecycle", name) })),
  ];
  for (const { name, handler } of handlers) {
    for (const action of ["httpGet", "tcpSocket"]) {
      const host = field(handler, action, "host") ?? "";
      if (host !== "")
        problems.push({
          why: `${name}.${action}.host is ${shown(host)}`,
          remedy: "no host: the pod's own address",
        });
    }
  }
  return problems;
}

export const restrictedPods = podRule({
  name: "restricted-pods",
  asks: "the whole restricted Pod Security Standard, and no group of root",
  description:
    "A pod that asks for more than the restricted Pod Security Standard is refused by the namespace, or can take over the node",
  level: "mandatory",
  check: (pod) => {
    const { subject } = pod.object;
    const podContext = pod.spec.securityContext;
    const problems: Problem[] = [
      ...podProblems(pod),
      ...(isMap(podContext) ? contextProblems(podContext) : []),
      ...(field(podContext, "runAsNonRoot") === false
        ? [{ why: "securityContext.runAsNonRoot is false", remedy: "runAsNonRoot: true" }]
        : []),
      ...(["Unconfined"].includes(String(field(podContext, "seccompProfile", "type")))
        ? [
            {
              why: "securityContext.seccompProfile.type is Unconfined",
              remedy: `seccompProfile: { type: "RuntimeDefault" }`,
            },
          ]
        : []),
    ].map(({ why, remedy }) => ({ why: `the pod: ${why}`, remedy }));
    for (const container of pod.containers) {
      for (const { why, remedy } of containerProblems(pod, container)) {
        problems.push({ why: `${containerText(container)}: ${why}`, remedy });
      }
    }
    return problems.map((problem) => ({ subject, ...problem }));
  },
});
