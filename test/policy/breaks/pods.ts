/** Ways to break the rules over what a container may do, and how it is looked after. */
import { type Break, SET, JOB, POD, SERVER, SIDECAR, INIT, workload } from "./break.ts";
import { add, drop, metadata, set, setAt } from "../stacks.ts";

export const podsBreaks: Readonly<Record<string, readonly Break[]>> = {
  "restricted-pods": [
    ...["hostNetwork", "hostPID", "hostIPC"].map((name) => ({
      by: name,
      change: set(SET, `${POD}/${name}`, true),
      message: new RegExp(`spec.${name} is true`),
    })),
    {
      by: "a hostPath",
      change: set(SET, `${POD}/volumes/0`, { name: "data", hostPath: { path: "/" } }),
      message: /volume data is of type hostPath/,
    },
    {
      by: "a sysctl",
      change: set(SET, `${POD}/securityContext/sysctls`, [{ name: "kernel.msgmax", value: "1" }]),
      message: /sysctl "kernel.msgmax"/,
    },
    {
      by: "no AppArmor",
      change: set(SET, `${POD}/securityContext/appArmorProfile`, { type: "Unconfined" }),
      message: /appArmorProfile.type is "Unconfined"/,
    },
    {
      by: "no AppArmor by annotation",
      change: set(
        SET,
        "spec/template/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1postgres",
        "unconfined",
      ),
      message: /apparmor.*unconfined/,
    },
    {
      by: "an SELinux type",
      change: set(SET, `${SERVER}/securityContext/seLinuxOptions`, { type: "spc_t" }),
      message: /seLinuxOptions.type is "spc_t"/,
    },
    {
      by: "an SELinux user",
      change: set(SET, `${POD}/securityContext/seLinuxOptions`, { user: "system_u" }),
      message: /seLinuxOptions.user/,
    },
    {
      by: "a Windows host process",
      change: set(SET, `${POD}/securityContext/windowsOptions`, { hostProcess: true }),
      message: /hostProcess/,
    },
    {
      by: "privileged",
      change: set(SET, `${SERVER}/securityContext/privileged`, true),
      message: /container postgres: securityContext.privileged is true/,
    },
    {
      by: "escalation",
      change: drop(JOB, `${INIT}/securityContext/allowPrivilegeEscalation`),
      message: /init container bootstrap: .*allowPrivilegeEscalation is missing/,
    },
    {
      by: "capabilities kept",
      change: drop(SET, `${SIDECAR}/securityContext/capabilities`),
      message: /container reconcile: .*capabilities.drop is missing/,
    },
    {
      by: "a capability added",
      change: set(SET, `${SERVER}/securityContext/capabilities/add`, ["SYS_ADMIN"]),
      message: /capabilities.add is \["SYS_ADMIN"\]/,
    },
    {
      by: "procMount",
      change: set(SET, `${SERVER}/securityContext/procMount`, "Unmasked"),
      message: /procMount/,
    },
    ...["runAsGroup", "fsGroup"].map((name) => ({
      by: `root's group as ${name}`,
      change: set(SET, `${POD}/securityContext/${name}`, 0),
      message: new RegExp(`${name} is 0`),
    })),
    { by: "root", change: set(SET, `${POD}/securityContext/runAsUser`, 0), message: /runAsUser is 0/ },
    {
      by: "root in a container",
      change: set(JOB, `${INIT}/securityContext/runAsUser`, 0),
      message: /bootstrap: securityContext.runAsUser is 0/,
    },
    {
      by: "no runAsNonRoot",
      change: (all) => {
        drop(SET, `${POD}/securityContext/runAsNonRoot`)(all);
        drop(SET, `${SERVER}/securityContext/runAsNonRoot`)(all);
      },
      message: /runAsNonRoot is missing/,
    },
    {
      by: "the container's own runAsNonRoot false",
      change: set(SET, `${SERVER}/securityContext/runAsNonRoot`, false),
      message: /runAsNonRoot is false/,
    },
    {
      by: "the pod's runAsNonRoot false",
      change: set(SET, `${POD}/securityContext/runAsNonRoot`, false),
      message: /the pod: securityContext.runAsNonRoot is false/,
    },
    {
      by: "no seccomp",
      change: drop(SET, `${POD}/securityContext/seccompProfile`),
      message: /seccompProfile.type is missing/,
    },
    {
      by: "unconfined seccomp",
      change: set(SET, `${SERVER}/securityContext/seccompProfile`, { type: "Unconfined" }),
      message: /seccompProfile.type is "Unconfined"/,
    },
    { by: "a hostPort", change: set(SET, `${SERVER}/ports/0/hostPort`, 5432), message: /hostPort 5432/ },
    {
      by: "a probe of another host",
      change: set(SET, `${SIDECAR}/livenessProbe`, { httpGet: { host: "10.0.0.1", port: 80 } }),
      message: /livenessProbe.httpGet.host/,
    },
    {
      by: "an ephemeral container",
      change: set(SET, `${POD}/ephemeralContainers`, [{ name: "debug", image: "busybox:1" }]),
      message: /ephemeral container debug/,
    },
  ],
  "read-only-root": [
    {
      by: "dropping it",
      change: drop(SET, `${SERVER}/securityContext/readOnlyRootFilesystem`),
      message: /container postgres has securityContext.readOnlyRootFilesystem missing/,
    },
    {
      by: "false",
      change: set(JOB, `${INIT}/securityContext/readOnlyRootFilesystem`, false),
      message: /init container bootstrap .* false/,
    },
  ],
  "no-token": [
    {
      by: "leaving it to the default",
      change: drop(SET, `${POD}/automountServiceAccountToken`),
      message: /automountServiceAccountToken is missing/,
    },
    { by: "true", change: set(JOB, `${POD}/automountServiceAccountToken`, true), message: /is true/ },
    {
      by: "a projected one",
      change: set(SET, `${POD}/volumes/10`, {
        name: "t",
        projected: { sources: [{ serviceAccountToken: { path: "t" } }] },
      }),
      message: /volume t projects a serviceAccountToken/,
    },
    {
      by: "a ServiceAccount",
      change: add("kubernetes:core/v1:ServiceAccount", { metadata: metadata("sa") }),
      message: /ServiceAccount\/sa/,
    },
  ],
  "no-service-links": [
    {
      by: "leaving it to the default",
      change: drop(SET, `${POD}/enableServiceLinks`),
      message: /enableServiceLinks is missing/,
    },
    { by: "true", change: set(JOB, `${POD}/enableServiceLinks`, true), message: /is true/ },
  ],
  probes: [
    ...["startupProbe", "livenessProbe", "readinessProbe"].map((name) => ({
      by: `no ${name}`,
      change: drop(SET, `${SERVER}/${name}`),
      message: new RegExp(`container postgres has no ${name}`),
    })),
    {
      by: "an empty probe",
      change: set(SET, `${SERVER}/livenessProbe`, { periodSeconds: 10 }),
      message: /has no livenessProbe that asks anything/,
    },
    {
      by: "readiness over the socket",
      change: set(SET, `${SERVER}/readinessProbe/exec/command`, ["pg_isready"]),
      message: /over the socket/,
    },
    {
      by: "no time for crash recovery",
      change: set(SET, `${SERVER}/startupProbe/failureThreshold`, 3),
      message: /after 3 s, crash recovery included/,
    },
    {
      by: "a liveness probe that crash recovery fails, every second, after one failure",
      change: set(SET, `${SERVER}/livenessProbe`, {
        exec: { command: ["pg_isready"] },
        periodSeconds: 1,
        failureThreshold: 1,
      }),
      message: /takes pg_isready's 1, a server's answer in crash recovery, for a failure[^]*\$\? -le 1/,
    },
    {
      by: "a liveness probe that asks for 0 by hand",
      change: set(SET, `${SERVER}/livenessProbe/exec/command/2`, "pg_isready -q; [ $? -eq 0 ]"),
      message: /takes pg_isready's 1, .* for a failure/,
    },
    {
      by: "a liveness probe that is quick to kill",
      change: set(SET, `${SERVER}/livenessProbe/failureThreshold`, 1),
      message: /kills the server after 1 failures, 10 s/,
    },
    {
      by: "a liveness probe over TCP that is quick to kill",
      change: set(SET, `${SERVER}/livenessProbe`, { tcpSocket: { port: 5432 }, periodSeconds: 1 }),
      message: /kills the server after 3 failures, 3 s/,
    },
    {
      by: "a liveness probe on another port",
      change: set(SET, `${SERVER}/livenessProbe`, { tcpSocket: { port: 9999 } }),
      message: /its livenessProbe asks port 9999, which is not the server's/,
    },
    {
      by: "a readiness probe on the port alone",
      change: set(SET, `${SERVER}/readinessProbe`, { tcpSocket: { port: 5432 } }),
      message: /its readinessProbe asks only the port/,
    },
    {
      by: "a startup probe in another protocol",
      change: set(SET, `${SERVER}/startupProbe`, {
        httpGet: { path: "/", port: 5432 },
        failureThreshold: 60,
      }),
      message: /speaks a protocol that PostgreSQL does not/,
    },
    {
      by: "a liveness probe that is never asked",
      change: set(SET, `${SERVER}/livenessProbe/periodSeconds`, 1_000_000),
      message: /leaves a hanging server alone for 6000000 s/,
    },
    {
      by: "a liveness probe without the time to run its command",
      change: drop(SET, `${SERVER}/livenessProbe/timeoutSeconds`),
      message: /gives its command 1 s/,
    },
    {
      by: "a sidecar without, where there is no server next to it",
      change: add("kubernetes:apps/v1:Deployment", {
        metadata: metadata("api"),
        spec: {
          template: {
            spec: {
              initContainers: [{ name: "proxy", image: "proxy:1", restartPolicy: "Always" }],
              containers: [{ name: "api", image: "api:1" }],
            },
          },
        },
      }),
      message: /sidecar container proxy has no readinessProbe/,
    },
    ...["readinessProbe", "startupProbe"].map((name) => ({
      by: `a ${name} of what runs next to the server`,
      change: set(SET, `${POD}/containers/1/${name}`, {
        exec: { command: ["test", "-e", "/run/reconcile/done"] },
      }),
      message: new RegExp(`reconcile has a ${name}: when it fails, no client is sent to the server`),
    })),
    {
      by: "a readiness probe next to the server that fails before the container is restarted",
      change: set(SET, `${POD}/containers/1/livenessProbe/failureThreshold`, 70),
      message: /reconcile has a readinessProbe: when it fails[^]*lasts longer/,
    },
    {
      by: "a readiness probe next to the server without a liveness probe",
      change: drop(SET, `${POD}/containers/1/livenessProbe`),
      message: /reconcile has a readinessProbe: when it fails/,
    },
    {
      by: "a readiness probe next to the server that fails while the container stops",
      change: set(SET, `${POD}/containers/1/readinessProbe/failureThreshold`, 48),
      message: /reconcile has a readinessProbe: when it fails/,
    },
  ],
  "grace-period": [
    {
      by: "Kubernetes' 30 s",
      change: drop(SET, `${POD}/terminationGracePeriodSeconds`),
      message: /is missing, and the default is 30[^]*120 or more/,
    },
    {
      by: "less than configured",
      change: set(SET, `${POD}/terminationGracePeriodSeconds`, 60),
      message: /is 60/,
    },
    {
      by: "none in dev",
      stack: "dev",
      change: set(SET, `${POD}/terminationGracePeriodSeconds`, 0),
      message: /is 0/,
    },
  ],
  "image-tag": [
    {
      by: "latest",
      change: set(SET, `${SERVER}/image`, "pgvector/pgvector:latest"),
      message: /whose tag moves/,
    },
    {
      by: "no tag",
      change: set(SET, `${SERVER}/image`, "registry:5000/pgvector/pgvector"),
      message: /without a tag/,
    },
    {
      by: "a digest without a tag",
      change: set(JOB, `${INIT}/image`, `pgvector/pgvector@sha256:${"a".repeat(64)}`),
      message: /without a tag/,
    },
    { by: "no image", change: drop(SET, `${SIDECAR}/image`), message: /the image missing/ },
  ],
  "image-digest": [
    {
      by: "no digest",
      config: { "image-digest": {} },
      change: () => undefined,
      message:
        /container postgres has the image "pgvector\/pgvector:0.8.6-pg16-bookworm", without a digest[^]*resolve-digests/,
    },
    {
      by: "a malformed digest",
      stack: "dev",
      change: set(SET, `${SERVER}/image`, "pgvector/pgvector:0.8.6@sha256:abc"),
      message: /without a digest/,
    },
    {
      by: "an image that the waiver is not for",
      change: workload("Deployment", (body) => setAt(body, `${POD}/containers/0/image`, "api:1")),
      message: /Deployment\/added/,
    },
  ],
  "secret-volume-modes": [
    {
      by: "the default",
      change: drop(SET, `${POD}/volumes/3/secret/defaultMode`),
      message: /volume owner-credentials has secret.defaultMode 0644/,
    },
    {
      by: "one item for all",
      change: set(SET, `${POD}/volumes/3/secret/items`, [{ key: "k", path: "p", mode: 0o444 }]),
      message: /items\[0\].mode 0444/,
    },
    {
      by: "a projected one",
      change: set(SET, `${POD}/volumes/10`, {
        name: "p",
        projected: { sources: [{ secret: { name: "s" } }] },
      }),
      message: /projected.sources\[0\]/,
    },
  ],
  "jobs-end": [
    {
      by: "no deadline",
      change: drop(JOB, "spec/activeDeadlineSeconds"),
      message: /activeDeadlineSeconds is missing/,
    },
    { by: "a deadline of 0", change: set(JOB, "spec/activeDeadlineSeconds", 0), message: /is 0/ },
    {
      by: "a Job that deletes itself",
      change: set(JOB, "spec/ttlSecondsAfterFinished", 60),
      message: /the next refresh runs it again/,
    },
    {
      by: "a CronJob",
      change: add("kubernetes:batch/v1:CronJob", {
        metadata: metadata("c"),
        spec: { jobTemplate: { spec: {} } },
      }),
      message: /spec.jobTemplate.spec.activeDeadlineSeconds/,
    },
  ],
};
