/** Fields of the real resources that may be left out without a violation, with the reason. */
export const HARMLESS: readonly { pattern: RegExp; why: string }[] = [
  { pattern: / (apiVersion|kind|metadata\/name|name)$/, why: "the API server refuses the object without it" },
  { pattern: /^kubernetes /, why: "how the provider writes; explicit-provider asks for what it must have" },
  { pattern: /^RandomPassword special$/, why: "more characters make a stronger password" },
  {
    pattern: / (metadata|spec\/template\/metadata)\/annotations(\/|$)/,
    why: "for tools; the server compares its identity itself",
  },
  {
    pattern: /^ConfigMap data(\/|$)/,
    why: "a missing script, setting or migration fails at once",
  },
  { pattern: /^Secret (stringData(\/|$)|type$)/, why: "a missing login fails at once" },
  { pattern: /^Service spec(\/|$)/, why: "a Service that leads nowhere opens nothing" },
  {
    pattern:
      /^PersistentVolume spec\/(capacity|claimRef\/apiVersion|hostPath|storageClassName|volumeMode)(\/|$)/,
    why: "the API server refuses it, or the default is the same",
  },
  { pattern: /^PersistentVolumeClaim spec\/resources(\/|$)/, why: "the API server refuses the claim" },
  {
    pattern: /^StatefulSet spec\/(podManagementPolicy|replicas|selector|serviceName)(\/|$)/,
    why: "refused, or one replica in order",
  },
  {
    pattern: /^StatefulSet spec\/template\/metadata\/labels\/app$/,
    why: "refused: the selector does not match",
  },
  {
    pattern: /^Job spec\/template\/metadata\/labels\/(app|transcript-pipeline~1database-access)$/,
    why: "the policies no longer let it to the database, and it fails",
  },
  { pattern: /^Job spec\/(backoffLimit|podFailurePolicy)(\/|$)/, why: "the deadline ends it all the same" },
  {
    pattern: /ontainers\/\d+\/(command|env|name|ports|imagePullPolicy|terminationMessagePolicy)(\/|$)/,
    why: "the container fails, or says less",
  },
  {
    pattern: /ontainers\/\d+\/(volumeMounts)(\/|$)/,
    why: "the container fails; files of Secrets and ConfigMaps cannot be written anyway",
  },
  {
    pattern: /Probe\/(exec\/command\/\d+|failureThreshold|periodSeconds|timeoutSeconds|initialDelaySeconds)$/,
    why: "asked at another pace, or a probe that fails",
  },
  {
    // Of a server and of what has no server next to it, the rule `probes` asks for one.
    pattern: /^StatefulSet spec\/template\/spec\/containers\/[12]\/readinessProbe(\/exec(\/command)?)?$/,
    why: "next to the server, one that never acts",
  },
  { pattern: /securityContext\/runAsNonRoot$/, why: "set twice: by the pod and by the container" },
  {
    pattern: /template\/spec\/securityContext\/(fsGroup|fsGroupChangePolicy|runAsGroup|runAsUser)$/,
    why: "runAsNonRoot refuses root; files that cannot be read fail at once",
  },
  {
    pattern: /template\/spec\/(tolerations|restartPolicy)$/,
    why: "the pod is not scheduled, or the object refused",
  },
  {
    pattern:
      /template\/spec\/volumes\/\d+(\/name|\/configMap(\/name)?|\/secret\/secretName|\/persistentVolumeClaim\/claimName)?$/,
    why: "refused: a mount has no volume, or a volume no source",
  },
  {
    pattern: /template\/spec\/volumes\/\d+\/(secret|configMap)\/optional$/,
    why: "the pod waits for its Secret or ConfigMap",
  },
  {
    pattern: /template\/spec\/volumes\/\d+\/emptyDir\/medium$/,
    why: "a small file on disk instead of in memory",
  },
  {
    pattern: /^Job spec\/template\/spec\/(terminationGracePeriodSeconds|volumes|initContainers(\/0)?)$/,
    why: "the Job fails, or is killed sooner when it is deleted",
  },
  {
    pattern: /^NetworkPolicy spec(\/(ingress|egress)(\/\d+)?|\/ingress\/0\/from\/\d+)?$/,
    why: "the default deny stays: fewer are let in or out",
  },
  {
    pattern: /^NetworkPolicy spec\/podSelector(\/|$)/,
    why: "the same clients, to the same port of other pods, which do not listen on it",
  },
  {
    pattern: /^NetworkPolicy spec\/policyTypes(\/|$)/,
    why: "what is left out is told by the rules, or denied by the default deny",
  },
  {
    pattern: /^NetworkPolicy spec\/(ingress|egress)\/\d+\/ports\/\d+(\/protocol)?$/,
    why: "one port of two is left, or TCP, the default",
  },
  {
    pattern: /^NetworkPolicy spec\/egress\/0\/to\/0\/(namespaceSelector|podSelector)(\/|$)/,
    why: "port 53 of other pods in kube-system, or of none",
  },
  { pattern: /template\/spec\/containers\/1$/, why: "without the sidecar the pod is never ready" },
];
