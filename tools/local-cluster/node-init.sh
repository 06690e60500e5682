#!/bin/bash
# Process 1 of the node: mounts what the node must not share with the machine, starts the components, restarts any that
# dies, and on SIGTERM stops the containers before it exits. When this process ends, however it ends, the kernel ends
# every process of the node and drops every mount, as in a power failure.
#
# Usage: node-init.sh STATE RUNTIME NODE_NAME NODE_ADDRESS SERVICE_RANGE
# PATH begins with the folder of the node's programs. Runs in its own mount, PID, network, UTS and IPC
# namespaces.
set -eu
state=$1 runtime=$2 node=$3 address=$4 service_range=$5
certificates=$state/certificates
config=$state/config
logs=$state/logs

hostname "$node"
# Mounts and unmounts of the machine are visible here, but not the other way round.
mount --make-rshared /
mount -t proc proc /proc

# The node's own /run, in which the runtime folder stays the host's: `ctr` connects from there.
mkdir -p "$state/runtime"
mount --bind "$runtime" "$state/runtime"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$runtime"
mount --bind "$state/runtime" "$runtime"
umount "$state/runtime"

# Paths that no setting moves; the kubelet's also because its sockets' paths may have 107 bytes, wherever the state is.
# The two under /var/lib stay on the machine as empty folders.
mkdir -p "$state"/{kine/db,kubelet,containerd,var-log,var-lib-cni,kernel,logs}
mkdir -p /var/lib/cni /var/lib/kubelet
mount --bind "$state/var-log" /var/log
mount --bind "$state/var-lib-cni" /var/lib/cni
mount --bind "$state/kubelet" /var/lib/kubelet

# The kubelet insists on some settings of the whole machine's kernel. It reads these files, finds what it wants, and the
# machine keeps its own values.
pretend() {
  local file="$state/kernel/${1//\//-}"
  echo "$2" >"$file"
  mount --bind "$file" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000

echo 1 >/proc/sys/net/ipv4/ip_forward
set +e

# Keeps a component running. Its log holds the last 2 runs.
keep() {
  local name=$1
  shift
  (
    while :; do
      if [ -f "$logs/$name.log" ]; then mv -f "$logs/$name.log" "$logs/$name.previous.log"; fi
      "$@" >"$logs/$name.log" 2>&1 </dev/null
      echo "$(date -u +%FT%TZ) $name ended with status $?, starting it again" >>"$logs/node.log"
      sleep 1
    done
  ) &
  keepers+=($!)
}
keepers=()

# SQLite's settings as in K3s: a file db/state.db in the current folder.
kine() (
  cd "$state/kine" && exec kine "$runtime/kine.sock"
)

# The flags of a test, one a line, are read at each of its starts.
api_server() (
  mapfile -t flags <"$config/api-server.flags"
  exec kube-apiserver \
    --etcd-servers="unix://$runtime/kine.sock" \
    --advertise-address="$address" --bind-address=0.0.0.0 --secure-port=6443 \
    --service-cluster-ip-range="$service_range" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --anonymous-auth=true \
    --client-ca-file="$certificates/ca.crt" \
    --tls-cert-file="$certificates/api-server.crt" --tls-private-key-file="$certificates/api-server.key" \
    --kubelet-certificate-authority="$certificates/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$certificates/api-server-client.crt" \
    --kubelet-client-key="$certificates/api-server-client.key" \
    --requestheader-client-ca-file="$certificates/request-header-ca.crt" \
    --requestheader-allowed-names=system:auth-proxy --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$certificates/auth-proxy.crt" --proxy-client-key-file="$certificates/auth-proxy.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$certificates/service-accounts.pub" \
    --service-account-signing-key-file="$certificates/service-accounts.key" \
    --allow-privileged=true --profiling=false "${flags[@]}"
)

keep kine kine
keep api-server api_server
keep controller-manager kube-controller-manager \
  --kubeconfig="$config/controller-manager.kubeconfig" --leader-elect=false \
  --use-service-account-credentials --root-ca-file="$certificates/ca.crt" \
  --service-account-private-key-file="$certificates/service-accounts.key" --profiling=false
keep scheduler kube-scheduler --kubeconfig="$config/scheduler.kubeconfig" --leader-elect=false --profiling=false
keep containerd containerd --config "$config/containerd.toml"
keep kubelet kubelet --config "$config/kubelet.json" --kubeconfig "$config/kubelet.kubeconfig" \
  --hostname-override "$node" --node-ip "$address"
keep kube-proxy kube-proxy --config "$config/kube-proxy.json" --hostname-override "$node"
if [ "$(cat "$config/network-policies")" = enforced ]; then
  # The DNS server is a pod, so that policies can name it. Of kube-router only the firewall: the part that K3s has.
  keep kube-router kube-router --kubeconfig "$config/kube-router.kubeconfig" --hostname-override="$node" \
    --run-firewall --run-router=false --run-service-proxy=false --run-loadbalancer=false --enable-cni=false \
    --service-cluster-ip-range="$service_range" --health-port=0
else
  keep coredns coredns -conf "$config/Corefile"
fi

containers() {
  CONTAINERD_ADDRESS=$runtime/containerd.sock ctr --namespace k8s.io "$@"
}

# Without the kubelet nothing restarts the containers. Each is sent the stop signal of its image, and is cut off if it
# has not ended after ten seconds.
shut_down() {
  trap '' TERM
  kill "${keepers[@]}" 2>/dev/null
  pkill -x kubelet
  local container
  for container in $(containers tasks list --quiet); do
    containers tasks kill "$container" >/dev/null 2>&1 &
  done
  local waited
  for ((waited = 0; waited < 50; waited++)); do
    if ! containers tasks list | grep -q RUNNING; then break; fi
    sleep 0.2
  done
  # SQLite's file is sound at any time; this only spares it a recovery.
  pkill -x kube-apiserver
  pkill -x kine
  sleep 0.3
  exit 0
}
trap shut_down TERM
while :; do wait; sleep 1; done
