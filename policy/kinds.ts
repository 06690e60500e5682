/**
 * The kinds of resource that the pack knows, by type token, each with its allowed fields. A kind without known fields
 * can be declared too, along with each of its fields.
 *
 * A field covers everything below it. `*` is any name without a slash; after a colon come the only values that need
 * no declaration. The fields of single objects are in `declarations.ts`.
 */

/** Kinds that the program registers. Another one takes a line here, or one in the configuration. */
export const DECLARED_KINDS: readonly string[] = [
  "pulumi:pulumi:Stack",
  "pulumi:providers:kubernetes",
  "pulumi:providers:random",
  "pulumi:providers:command",
  // Components of this project. They only hold other resources.
  "transcript-pipeline:index:*",
  "random:index/randomPassword:RandomPassword",
  // By name and script: declared-commands.
  "command:local:Command",
  "command:remote:Command",
  "kubernetes:core/v1:Namespace",
  "kubernetes:core/v1:ConfigMap",
  "kubernetes:core/v1:Secret",
  "kubernetes:core/v1:Service",
  "kubernetes:core/v1:PersistentVolume",
  "kubernetes:core/v1:PersistentVolumeClaim",
  "kubernetes:apps/v1:StatefulSet",
  "kubernetes:batch/v1:Job",
  "kubernetes:batch/v1:CronJob",
  // Whom they let in and out: database-network-policy, network-default-deny, network-way-out.
  "kubernetes:networking.k8s.io/v1:NetworkPolicy",
  // Whom it lets open them: sealed-strictly.
  "kubernetes:bitnami.com/v1alpha1:SealedSecret",
  // From which store, and that the Secret stays: secret-store.
  "kubernetes:external-secrets.io/v1:ExternalSecret",
  // What the Prometheus operator's Prometheus asks, and what it tells: alerts-kept.
  "kubernetes:monitoring.coreos.com/v1:ServiceMonitor",
  "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
];

/** What kinds do, for whoever declares them. */
export const CONSEQUENCES: readonly { kind: RegExp; does: string }[] = [
  { kind: /^ClusterRole(Binding)?$/, does: "gives rights in the whole cluster" },
  { kind: /^Role(Binding)?$/, does: "gives rights over the namespace's objects, including its Secrets" },
  {
    kind: /^(HelmChart|HelmChartConfig|HelmRelease|Addon)$/,
    does: "makes a controller install whatever chart it names",
  },
  {
    kind: /^(Application|ApplicationSet|AppProject|Kustomization|GitRepository)$/,
    does: "makes a controller deploy whatever a repository holds",
  },
  {
    kind: /^MutatingWebhookConfiguration$|^MutatingAdmissionPolicy/,
    does: "rewrites objects on their way into the cluster",
  },
  {
    kind: /^ValidatingWebhookConfiguration$|^ValidatingAdmissionPolicy/,
    does: "can refuse every change in the cluster",
  },
  { kind: /^PriorityClass$/, does: "decides which pods are evicted for others" },
  { kind: /^(Endpoints|EndpointSlice)$/, does: "sends a Service's clients to any address" },
  { kind: /^(Pod|ReplicaSet|ReplicationController|DaemonSet|Deployment|CronJob)$/, does: "runs containers" },
  { kind: /^StackReference$/, does: "reads another stack's outputs, including secrets" },
  { kind: /^(CustomResourceDefinition|APIService)$/, does: "changes the cluster's API" },
];

const METADATA = [
  "name",
  "namespace",
  // A label without a prefix only serves selectors.
  'labels["*"]',
  'labels["app.kubernetes.io/*"]',
  // This project's own. Tools act on annotations of others.
  'annotations["transcript-pipeline/*"]',
].map((field) => `metadata.${field}`);
const OBJECT = ["apiVersion", "kind", ...METADATA];

/** Terms that choose nodes. */
const NODE_TERMS = [
  "matchExpressions[].key",
  "matchExpressions[].operator",
  "matchExpressions[].values",
  "matchFields[].key",
  "matchFields[].operator",
  "matchFields[].values",
];
const SECURITY_CONTEXT = [
  "runAsNonRoot",
  "runAsUser",
  "runAsGroup",
  "seccompProfile.type",
  "seccompProfile.localhostProfile",
  "appArmorProfile.type",
  ...["level", "type", "user", "role"].map((field) => `seLinuxOptions.${field}`),
];
const PROBE = [
  "exec.command",
  "httpGet.path",
  "httpGet.port",
  "httpGet.scheme",
  "tcpSocket.port",
  "grpc.port",
  "grpc.service",
  "initialDelaySeconds",
  "periodSeconds",
  "timeoutSeconds",
  "failureThreshold",
  "successThreshold",
];
const CONTAINER = [
  "name",
  "image",
  "imagePullPolicy: IfNotPresent | Always",
  // Each judged by a rule of its own: declared-programs, declared-environment, declared-mounts.
  "command",
  "args",
  "env",
  "envFrom",
  "volumeMounts",
  "ports[].name",
  "ports[].containerPort",
  "ports[].protocol: TCP",
  'resources.requests["**"]',
  'resources.limits["**"]',
  "restartPolicy: Always",
  "terminationMessagePolicy",
  ...[
    ...SECURITY_CONTEXT,
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "capabilities.add",
    "capabilities.drop",
  ].map((field) => `securityContext.${field}`),
  ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((probe) =>
    PROBE.map((field) => `${probe}.${field}`),
  ),
];
/** How objects are selected by their labels. */
const BY_LABELS = [
  'matchLabels["**"]',
  "matchExpressions[].key",
  "matchExpressions[].operator",
  "matchExpressions[].values",
];
/** How a scheduler selects pods. */
const SELECTOR = BY_LABELS.map((field) => `labelSelector.${field}`);
/** Pods that are kept apart, or spread. */
const SPREAD = [
  ...["weight", "podAffinityTerm.topologyKey", ...SELECTOR.map((field) => `podAffinityTerm.${field}`)].map(
    (field) => `affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].${field}`,
  ),
  ...["topologyKey", ...SELECTOR].map(
    (field) => `affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].${field}`,
  ),
  ...["maxSkew", "minDomains", "topologyKey", "whenUnsatisfiable", "matchLabelKeys", ...SELECTOR].map(
    (field) => `topologySpreadConstraints[].${field}`,
  ),
];
/** Fields of a pod's spec. */
const POD = [
  "restartPolicy",
  'nodeSelector["**"]',
  ...NODE_TERMS.map(
    (term) =>
      `affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[].${term}`,
  ),
  ...["key", "operator", "value", "effect", "tolerationSeconds"].map((field) => `tolerations[].${field}`),
  "terminationGracePeriodSeconds",
  "automountServiceAccountToken",
  "enableServiceLinks",
  "hostNetwork: false",
  "hostPID: false",
  "hostIPC: false",
  "dnsPolicy: ClusterFirst",
  "schedulerName: default-scheduler",
  "serviceAccountName: default",
  "shareProcessNamespace: false",
  // Judged by declared-mounts.
  "volumes",
  ...[...SECURITY_CONTEXT, "fsGroup", "fsGroupChangePolicy", "sysctls[].name", "sysctls[].value"].map(
    (field) => `securityContext.${field}`,
  ),
  ...["containers", "initContainers"].flatMap((list) => CONTAINER.map((field) => `${list}[].${field}`)),
];

/** Fields of a template of pods under a path. */
function template(path: string): string[] {
  // Hashes of what a pod reads: it restarts when they change. No tool acts on them.
  return [...METADATA, 'metadata.annotations["checksum/*"]', ...POD.map((field) => `spec.${field}`)].map(
    (field) => `${path}.${field}`,
  );
}

const JOB = [
  "activeDeadlineSeconds",
  "backoffLimit",
  "completions",
  "parallelism",
  "podFailurePolicy.rules[].action",
  "podFailurePolicy.rules[].onPodConditions[].type",
  "podFailurePolicy.rules[].onPodConditions[].status",
  "ttlSecondsAfterFinished",
  "suspend: false",
];
const prefixed = (prefix: string, fields: readonly string[]) => fields.map((field) => `${prefix}.${field}`);

/** Fields by type token. A Patch has those of its kind, the items of a List those of theirs. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "random:index/randomPassword:RandomPassword": ["length", "special"],
  "command:local:Command": ["create", "interpreter", "triggers"],
  "command:remote:Command": ["connection", "create", "triggers"],
  "kubernetes:core/v1:Namespace": [
    ...OBJECT,
    ...["enforce", "warn", "audit", "enforce-version", "warn-version", "audit-version"].map(
      (name) => `metadata.labels["pod-security.kubernetes.io/${name}"]`,
    ),
  ],
  // The files of each: declarations.ts.
  "kubernetes:core/v1:ConfigMap": OBJECT,
  "kubernetes:core/v1:Secret": [
    ...OBJECT,
    // Some other types are logins: a service account's token, a registry's, a bootstrap token.
    "type: Opaque | kubernetes.io/tls",
    'data["*"]',
    'stringData["*"]',
  ],
  "kubernetes:bitnami.com/v1alpha1:SealedSecret": [
    ...OBJECT,
    ...prefixed("spec", [
      'encryptedData["*"]',
      'template.data["*"]',
      "template.type: Opaque",
      'template.metadata.labels["app.kubernetes.io/*"]',
      // The Secret outlives it.
      'template.metadata.annotations["sealedsecrets.bitnami.com/managed"]: true',
      'template.metadata.annotations["sealedsecrets.bitnami.com/skip-set-owner-references"]: true',
    ]),
  ],
  "kubernetes:monitoring.coreos.com/v1:ServiceMonitor": [
    ...OBJECT,
    ...prefixed("spec", [
      'selector.matchLabels["app.kubernetes.io/*"]',
      // No address of its own, and no credentials.
      ...["port", "interval", "scrapeTimeout", "relabelings[].targetLabel", "relabelings[].replacement"].map(
        (part) => `endpoints[].${part}`,
      ),
    ]),
  ],
  "kubernetes:monitoring.coreos.com/v1:PrometheusRule": [
    ...OBJECT,
    ...prefixed("spec", [
      ...["name", "interval"].map((part) => `groups[].${part}`),
      ...["alert", "expr", "for", 'labels["severity"]', 'annotations["*"]'].map(
        (part) => `groups[].rules[].${part}`,
      ),
    ]),
  ],
  "kubernetes:external-secrets.io/v1:ExternalSecret": [
    ...OBJECT,
    ...prefixed("spec", [
      "refreshInterval",
      "secretStoreRef.kind",
      "secretStoreRef.name",
      // Where they come from. Not `dataFrom`, nor a value's own `sourceRef`: another store than the one that is judged.
      ...["secretKey", "remoteRef.key", "remoteRef.property"].map((part) => `data[].${part}`),
      "target.name",
      "target.creationPolicy",
      "target.deletionPolicy",
      "target.template.engineVersion: v2",
      // Some other types are logins: a service account's token, a registry's, a bootstrap token.
      "target.template.type: Opaque",
      'target.template.metadata.labels["app.kubernetes.io/*"]',
      'target.template.data["*"]',
    ]),
  ],
  "kubernetes:core/v1:Service": [
    ...OBJECT,
    ...prefixed("spec", [
      "type",
      "clusterIP: None",
      'selector["**"]',
      "ports[].name",
      "ports[].port",
      "ports[].targetPort",
      "ports[].protocol: TCP",
      "sessionAffinity: None",
      "publishNotReadyAddresses: false",
    ]),
  ],
  "kubernetes:core/v1:PersistentVolume": [
    ...OBJECT,
    ...prefixed("spec", [
      "accessModes",
      "capacity.storage",
      "claimRef.apiVersion",
      "claimRef.kind",
      "claimRef.name",
      "claimRef.namespace",
      "hostPath.path",
      "hostPath.type: Directory | DirectoryOrCreate",
      "local.path",
      "csi.driver",
      "csi.volumeHandle",
      ...NODE_TERMS.map((term) => `nodeAffinity.required.nodeSelectorTerms[].${term}`),
      "persistentVolumeReclaimPolicy",
      "storageClassName",
      "volumeMode: Filesystem",
    ]),
  ],
  "kubernetes:core/v1:PersistentVolumeClaim": [
    ...OBJECT,
    ...prefixed("spec", [
      "accessModes",
      "resources.requests.storage",
      "storageClassName",
      "volumeName",
      "volumeMode: Filesystem",
    ]),
  ],
  "kubernetes:apps/v1:StatefulSet": [
    ...OBJECT,
    "spec.replicas",
    "spec.serviceName",
    "spec.podManagementPolicy",
    "spec.selector.matchLabels",
    "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
    "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
    ...template("spec.template"),
  ],
  "kubernetes:batch/v1:Job": [...OBJECT, ...prefixed("spec", JOB), ...template("spec.template")],
  // Known but not declared: each needs one line of configuration.
  "kubernetes:apps/v1:Deployment": [
    ...OBJECT,
    "spec.replicas",
    "spec.selector",
    "spec.strategy",
    "spec.revisionHistoryLimit",
    "spec.minReadySeconds",
    "spec.progressDeadlineSeconds",
    // Not `paused`: changes would not reach the pods.
    ...[...SPREAD, "imagePullSecrets[].name"].map((field) => `spec.template.spec.${field}`),
    ...template("spec.template"),
  ],
  "kubernetes:apps/v1:DaemonSet": [
    ...OBJECT,
    "spec.selector",
    "spec.updateStrategy",
    ...template("spec.template"),
  ],
  "kubernetes:apps/v1:ReplicaSet": [
    ...OBJECT,
    "spec.replicas",
    "spec.selector",
    ...template("spec.template"),
  ],
  "kubernetes:core/v1:ReplicationController": [
    ...OBJECT,
    "spec.replicas",
    "spec.selector",
    ...template("spec.template"),
  ],
  "kubernetes:core/v1:Pod": [...OBJECT, ...prefixed("spec", POD)],
  "kubernetes:batch/v1:CronJob": [
    ...OBJECT,
    "spec.schedule",
    "spec.timeZone",
    "spec.concurrencyPolicy",
    "spec.successfulJobsHistoryLimit",
    "spec.failedJobsHistoryLimit",
    "spec.startingDeadlineSeconds",
    ...prefixed("spec.jobTemplate.spec", JOB),
    ...template("spec.jobTemplate.spec.template"),
  ],
  "kubernetes:core/v1:ServiceAccount": [...OBJECT, "automountServiceAccountToken"],
  "kubernetes:networking.k8s.io/v1:NetworkPolicy": [
    ...OBJECT,
    ...prefixed("spec", [
      ...BY_LABELS.map((part) => `podSelector.${part}`),
      "policyTypes",
      ...["ingress[].from[]", "egress[].to[]"].flatMap((peer) => [
        ...BY_LABELS.flatMap((part) => [`${peer}.podSelector.${part}`, `${peer}.namespaceSelector.${part}`]),
        `${peer}.ipBlock.cidr`,
        `${peer}.ipBlock.except`,
      ]),
      ...["ingress", "egress"].flatMap((rules) =>
        ["port", "protocol", "endPort"].map((part) => `${rules}[].ports[].${part}`),
      ),
    ]),
  ],
  "kubernetes:networking.k8s.io/v1:Ingress": [
    ...OBJECT,
    ...prefixed("spec", ["ingressClassName", "rules", "tls"]),
  ],
  "kubernetes:storage.k8s.io/v1:StorageClass": [
    ...OBJECT,
    "provisioner",
    "reclaimPolicy",
    "volumeBindingMode",
  ],
  // What they grant: declared-rights.
  "kubernetes:rbac.authorization.k8s.io/v1:Role": [...OBJECT, "rules"],
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": [...OBJECT, "rules"],
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": [...OBJECT, "roleRef", "subjects"],
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": [...OBJECT, "roleRef", "subjects"],
};
