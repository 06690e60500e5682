import {
  api,
  apiOnNode,
  connecting,
  connects,
  dns,
  inContainer,
  inPodOf,
  inServer,
  kubelet,
  onNode,
  type Place,
  CLOSED,
  others,
  clients,
} from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { CLIENTS_PORT, type Stage } from "../stage.ts";

const itself: Place = () => ["127.0.0.1", CLIENTS_PORT];

const wayOut = (tries: string, place: Place, control = connects("foreign", place)): Attempt<Stage> => ({
  tries,
  attack: (stage) => inServer(connecting(place(stage)))(stage),
  refused: CLOSED,
  control,
});

const NO_FILE = /No such file or directory/;
const reading = (path: string) => `cat ${path} >/dev/null`;

/** By the system call, whose number is the processor's: the image has no program for it. */
const mounting = `call=165; [ "$(uname -m)" != aarch64 ] || call=40
  perl -e "my (\\$from, \\$to, \\$type) = qw(none /mnt tmpfs); syscall($call, \\$from, \\$to, \\$type, 0, 0) == 0 or die \\$!"`;

/** Whoever runs code in the server's container, as the server's user. */
export const takenOverServer: Attacker<Stage> = {
  who: "code in the server's container",
  attempts: [
    wayOut("connects to the API server", api),
    wayOut("connects to the API server by the node's address", apiOnNode),
    wayOut("connects to the kubelet", kubelet),
    wayOut("asks a DNS server", dns),
    wayOut("connects to a pod of another namespace", others),
    // Nobody but the client's own pod may.
    wayOut("connects back to a client", clients, async (stage) =>
      inPodOf("client", connecting(itself(stage)))(stage),
    ),
    {
      tries: "looks a name up",
      attack: inServer(
        "timeout 15 getent hosts kubernetes.default.svc.cluster.local || { echo 'no answer'; false; }",
      ),
      refused: /^no answer$/m,
      control: inPodOf("foreign", "timeout 15 getent hosts kubernetes.default.svc.cluster.local"),
    },
    {
      tries: "writes the root file system",
      attack: inServer("touch /var/lib/postgresql/mine"),
      refused: /Read-only file system/,
      control: inPodOf("client", "touch /var/lib/postgresql/mine"),
    },
    {
      tries: "changes its own configuration",
      attack: inServer("touch /etc/postgresql/pg_hba.conf"),
      refused: /Read-only file system|Permission denied/,
      control: inServer("touch /tmp/pg_hba.conf && rm /tmp/pg_hba.conf"),
    },
    {
      tries: "changes the scripts with which it is started",
      attack: inServer("touch /usr/local/lib/transcript-pipeline/start-server.sh"),
      refused: /Read-only file system|Permission denied/,
      control: inServer("touch /tmp/start-server.sh && rm /tmp/start-server.sh"),
    },
    ...["owner", "superuser", "logins"].map((of) => ({
      tries: `reads the Secret of ${of === "logins" ? "the other logins" : `the ${of}`}`,
      attack: inServer(`cat /etc/credentials/${of}/* >/dev/null`),
      refused: NO_FILE,
      control: inContainer("postgres-0", "reconcile", `cat /etc/credentials/${of}/* >/dev/null`),
    })),
    {
      tries: "reads the key of the authority that signs its certificate",
      attack: inServer(reading("/etc/tls/tls.key")),
      refused: NO_FILE,
      control: inContainer("postgres-0", "certificate", reading("/etc/tls/tls.key")),
    },
    {
      tries: "reads the passphrase of the backups",
      attack: inServer(reading("/etc/pgbackrest-secrets/repo1-passphrase.conf")),
      refused: NO_FILE,
      control: inContainer(
        "postgres-backup-0",
        "pgbackrest",
        reading("/etc/pgbackrest-secrets/repo1-passphrase.conf"),
      ),
    },
    {
      tries: "reads or deletes the backups",
      attack: inServer("ls /repository/disk"),
      refused: NO_FILE,
      control: inContainer("postgres-backup-0", "pgbackrest", "ls /repository/disk"),
    },
    {
      tries: "has a token for the API server",
      attack: inServer(reading("/var/run/secrets/kubernetes.io/serviceaccount/token")),
      refused: NO_FILE,
      control: inPodOf("foreign", reading("/var/run/secrets/kubernetes.io/serviceaccount/token")),
    },
    {
      tries: "sees the processes of the container with the passwords",
      attack: inServer("grep -lz reconcile[.]sh /proc/[0-9]*/cmdline 2>/dev/null || { echo none; false; }"),
      refused: /^none\b/,
      control: inContainer("postgres-0", "reconcile", "grep -lz reconcile[.]sh /proc/[0-9]*/cmdline"),
    },
    {
      tries: "becomes root by a program that is root's",
      attack: inServer(
        "grep -E '^(NoNewPrivs:\\s*1|CapBnd:\\s*0+)$' /proc/self/status | wc -l | grep -qx 0 || { grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status; false; }",
      ),
      refused: /NoNewPrivs:\s*1\s+CapBnd:\s*0{16}|CapBnd:\s*0{16}\s+NoNewPrivs:\s*1/,
      control: onNode(
        "grep -E '^(NoNewPrivs:\\s*1|CapBnd:\\s*0+)$' /proc/self/status | wc -l | grep -qx 0",
        () => [],
      ),
    },
    {
      tries: "mounts a file system",
      attack: inServer(mounting),
      refused: /Operation not permitted/,
      control: onNode(`unshare --mount bash -c '${mounting}'`, () => []),
    },
    {
      tries: "forges packets",
      attack: inServer("perl -MSocket -e 'socket(my $s, AF_INET, SOCK_RAW, 1) or die \"$!\\n\"'"),
      refused: /Operation not permitted/,
      control: onNode(
        "unshare --net perl -MSocket -e 'socket(my $s, AF_INET, SOCK_RAW, 1) or die \"$!\\n\"'",
        () => [],
      ),
    },
  ],
};
