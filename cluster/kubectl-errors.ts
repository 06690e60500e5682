/**
 * Translates kubectl's errors: what is wrong, and the command to run next. kubectl has no error codes, so this matches
 * its texts (k8s.io/kubectl/pkg/cmd/util/helpers.go, k8s.io/client-go/tools/clientcmd, net/http). Of an unknown error it
 * shows the last line, without secrets.
 */

/** Maximum length of an unknown message. */
const LONGEST = 400;

/** What looks like a kubeconfig's secret in another program's text. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [^]*?(?:-----END [A-Z ]+-----|$)/g,
  /\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*/g,
  /(?<=\b(?:token|password|client-key-data|client-certificate-data|certificate-authority-data|Bearer)["']?\s*[:=]?\s*["']?)[A-Za-z0-9+/=._~-]{8,}/gi,
  // Credentials in a URL.
  /(?<=:\/\/)[^/\s@]+(?=@)/g,
];

/** The text on one line, without what looks like a secret. */
export function withoutSecrets(text: string): string {
  let shown = text;
  for (const secret of SECRETS) shown = shown.replace(secret, "[hidden]");
  shown = shown.replace(/\s+/g, " ").trim();
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)} …` : shown;
}

/** Characters kept at each end of a line that is too long. */
const KEPT = 160;

/**
 * kubectl's output without the objects in it: when the API server refuses a change, the reason follows kilobytes of the
 * object, which may hold secrets.
 */
export function withoutDumps(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/Invalid value: (?:[\w.]*\{.*\}|\{.*\}|map\[.*\])(?=: )/, "Invalid value"))
    .map((line) => (line.length > 2 * KEPT ? `${line.slice(0, KEPT)} … ${line.slice(-KEPT)}` : line))
    .join("\n");
}

/** Whether a text is a web page: the answer of a captive portal or a proxy, never of an API server. */
export function isWebPage(text: string): boolean {
  return (
    /^\s*<|<html[\s>]|<!doctype html/i.test(text) ||
    // The error of Go's JSON decoder.
    text.includes("invalid character '<' looking for beginning of value")
  );
}

/** The message if a web page answers. */
export const WEB_PAGE =
  "the answer is a web page (HTML), not an API server's: a proxy or a network's login page intercepts the connection. " +
  "Open a browser to log in to the network, or check HTTPS_PROXY and NO_PROXY, and the address: kubectl config view --minify";

type Kind = readonly [says: RegExp, message: (...parts: string[]) => string];

const SHOW_CONFIG = "See: kubectl config view --minify";

const KINDS: readonly Kind[] = [
  [
    /context "?([^"\n]+?)"? does not exist|no context exists with the name: "([^"]+)"|context was not found for specified context: (\S+)/,
    (...names) =>
      `context "${names.find((name) => name)}" is not in the kubeconfig. See: kubectl config get-contexts`,
  ],
  [
    /(?:current-context must exist|no configuration has been provided|server localhost:8080 was refused|\[::1\]:8080: connect|127\.0\.0\.1:8080: connect)/,
    () =>
      "there is no kubeconfig, or it has no current context. See: kubectl config get-contexts. On a K3s node it is " +
      "/etc/rancher/k3s/k3s.yaml",
  ],
  [
    // kubectl prompts on standard output; the end of its input is the error.
    /Please enter (?:Username|Password)|^error: EOF$/m,
    () =>
      `the kubeconfig has no credentials for the context's user, so kubectl asks for a user name and a password. ${SHOW_CONFIG}`,
  ],
  [
    /exec: (?:executable (\S+) not found|"([^"]+)": executable file not found)/,
    (plain, quoted) =>
      `the kubeconfig's credential plugin cannot be run: ${quoted || plain}. Install it, or put it on PATH`,
  ],
  [
    /getting credentials: (.*)/,
    (reason) => `the kubeconfig's credential plugin failed: ${reason}. Run it by hand: it may ask for input`,
  ],
  [
    /(?:Unauthorized|asked for the client to provide credentials|must be logged in to the server)/,
    () =>
      `the cluster does not accept the kubeconfig's credentials: they have expired, or are for another cluster. ${SHOW_CONFIG}`,
  ],
  [
    /x509: certificate signed by unknown authority/,
    () =>
      "the cluster's certificate is not signed by the authority in the kubeconfig: the cluster was reinstalled, or a " +
      "proxy intercepts the connection. Fetch its kubeconfig again (K3s: /etc/rancher/k3s/k3s.yaml)",
  ],
  [
    /x509: ((?:certificate|cannot validate certificate) [^\n]*)/,
    (reason) => `the cluster's certificate is not accepted: ${reason}. ${SHOW_CONFIG}`,
  ],
  [
    /server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/,
    () => `the address in the kubeconfig answers without TLS, so it is not an API server. ${SHOW_CONFIG}`,
  ],
  [
    /proxyconnect tcp: ([^\n]*)|(Proxy Authentication Required)/,
    (reason, asks) => `the proxy cannot be used: ${reason || asks}. Check HTTPS_PROXY and NO_PROXY`,
  ],
  [
    /lookup (\S+?)(?: on \S+)?: (?:no such host|server misbehaving|Temporary failure[^\n]*)/,
    (host) => `${host} cannot be resolved. ${SHOW_CONFIG}`,
  ],
  [
    /(?:connection to the server (\S+) was refused|dial tcp (\S+): connect: connection refused)/,
    (server, address) =>
      `nothing listens at ${server || address}. Is K3s running? On the node: systemctl status k3s`,
  ],
  [
    /dial tcp (\S+): connect: (no route to host|network is unreachable)/,
    (address, reason) => `${address} cannot be reached: ${reason}`,
  ],
  [
    /(?:i\/o timeout|context deadline exceeded|Client\.Timeout exceeded|TLS handshake timeout|request canceled while waiting)/,
    () => `the API server did not answer in time. ${SHOW_CONFIG}`,
  ],
  [
    /error loading config file "([^"\n]*)": ([^\n]*)/,
    (path, reason) => `kubeconfig ${path} cannot be read: ${reason}`,
  ],
  [/stat (\S[^\n]*): no such file or directory/, (path) => `kubeconfig ${path} does not exist`],
];

/**
 * The message for a kubectl that failed.
 *
 * @param said its standard error
 * @param instead the message if it printed nothing
 */
export function kubectlMessage(said: string, instead: string): string {
  if (isWebPage(said)) return WEB_PAGE;
  // The API server's own refusals name the object and the missing right.
  const refusal = /^Error from server \([A-Z][A-Za-z]*\): .*$/m.exec(said)?.[0];
  if (refusal !== undefined && !refusal.includes("(Unauthorized)")) return withoutSecrets(refusal);
  for (const [form, message] of KINDS) {
    const match = form.exec(said);
    if (match) return withoutSecrets(message(...match.slice(1).map((part) => part ?? "")));
  }
  return withoutSecrets(said.trim().split("\n").at(-1) || instead);
}
