import { ENVIRONMENT } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import type { Container, Pod } from "../pods.ts";
import { isDatabaseImage, isServer } from "../postgres.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-environment";

/** Variables that make loaders, shells, runtimes and PostgreSQL's programs do something else than written. */
const STEERING = [
  // ld.so(8), ld.so of others, and what the C library reads: malloc, locales, resolvers, temporary files.
  /^(LD_.*|DYLD_.*|LIBPATH|SHLIB_PATH|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|LOCPATH|NLSPATH|MALLOC_.*|MALLOC|MEMUSAGE.*)$/,
  /^(HOSTALIASES|RES_OPTIONS|RESOLV_.*|LOCALDOMAIN|TZDIR|TMPDIR|TMP|TEMP|TEMPDIR|TERMINFO(_DIRS)?|TERMCAP|INPUTRC|NSS_.*)$/,
  // bash(1), sh, zsh.
  /^(PATH|HOME|ENV|IFS|SHELL|SHELLOPTS|BASHOPTS|BASH_.*|PS[0-4]|PROMPT_COMMAND|CDPATH|FPATH|ZDOTDIR|GLOBIGNORE|EXECIGNORE)$/,
  // Programs that others run, and their options.
  /^(PAGER|.*_PAGER|EDITOR|VISUAL|BROWSER|LESS|LESSOPEN|LESSCLOSE|LESSKEY.*|EXINIT|VIMINIT|GIT_.*|SSH_.*|SUDO_.*|TAR_OPTIONS|MAKEFLAGS)$/,
  // PostgreSQL's programs and libpq.
  /^(POSTGRES.*|PSQL.*|PG.*)$/,
  // Certificates, proxies and where logins are.
  /^(SSL_CERT_.*|SSLKEYLOGFILE|OPENSSL_.*|GNUTLS_.*|CURL_.*|REQUESTS_CA_BUNDLE|AWS_CA_BUNDLE|AWS_ENDPOINT_URL.*|KRB5.*|GSS_.*|NETRC|KUBECONFIG|KUBERNETES_.*|DOCKER_(HOST|CONFIG)|.*_proxy|.*_PROXY)$/,
  // Runtimes, and what installs packages for them.
  /^(PYTHON.*|PIP_.*|UV_.*|VIRTUAL_ENV|CONDA_.*|GUNICORN_CMD_ARGS|FLASK_(APP|DEBUG))$/,
  /^(NODE_.*|npm_.*|NPM_.*|YARN_.*|COREPACK_.*|BUN_.*|DENO_.*|TS_NODE_.*|ELECTRON_.*)$/,
  /^(JAVA_.*|_JAVA_OPTIONS|JDK_.*|JVM_.*|CLASSPATH|CATALINA_.*|MAVEN_.*|GRADLE_.*|SBT_OPTS|LOADER_PATH)$/,
  /^(DOTNET_.*|ASPNETCORE_HOSTINGSTARTUP.*|CORECLR_.*|COR_.*|COMPlus_.*|COMPLUS_.*|NUGET_.*|MONO_.*)$/,
  /^(PERL.*|RUBY.*|BUNDLE_.*|GEM_.*|LUA_.*|PHPRC|PHP_.*|COMPOSER_.*|TCLLIBPATH|GUILE_.*|OCAMLRUNPARAM|GHCRTS|SBCL_HOME)$/,
  /^(ERL_.*|ELIXIR_.*|MIX_.*|RELX_.*|RELEASE_(COOKIE|NODE|VM_ARGS|REMOTE_VM_ARGS|SYS_CONFIG)|R_(PROFILE|ENVIRON|LIBS|HOME).*|JULIA_.*)$/,
  /^(GOFLAGS|GODEBUG|GOENV|GOPROXY|GOPATH|GOROOT|GOTOOLCHAIN|GOCOVERDIR|CARGO_.*|RUSTFLAGS|RUSTC.*)$/,
];

/** Where a client finds its server, and its own name: any program has these, and they steer nothing. */
const PLAIN = /^(PGHOST|PGPORT|PGDATABASE|PGUSER|PGAPPNAME|PGCONNECT_TIMEOUT|NODE_ENV|DOTNET_ENVIRONMENT)$/;

/** Whether a variable steers a program. */
const isSteering = (name: string) => !PLAIN.test(name) && STEERING.some((pattern) => pattern.test(name));

/** The source of a variable's value, as declarations write it; undefined for a literal value. */
function originOf(entry: Record<string, unknown>): string | undefined {
  const from = entry.valueFrom;
  if (!isMap(from)) return undefined;
  const kind = Object.keys(from)[0] ?? "";
  const source = from[kind];
  const name = textAt(source, "name") ?? textAt(source, "fieldPath") ?? textAt(source, "resource");
  return `from ${kind.replace(/(Key)?Ref$/, "")} ${name ?? "(nothing)"}`;
}

/** Whether every variable of a container must be declared: it runs next to the data, or as the database. */
function isWatched(pod: Pod, container: Container): boolean {
  const at = `${pod.object.subject} `;
  return (
    ENVIRONMENT.some((line) => line.startsWith(at)) ||
    isServer(container) ||
    isDatabaseImage(textAt(container.body, "image"))
  );
}

function findingsIn(pod: Pod, container: Container, config: Declared): Finding[] {
  const { subject } = pod.object;
  const at = `${subject} ${container.name}`;
  if (container.body.name === UNKNOWN) return [];
  const findings: Finding[] = [];
  const refuse = (why: string, line: string) =>
    findings.push({
      subject,
      why: `${containerText(container)} ${why}`,
      remedy: declarationOf(NAME, line),
    });
  const seen = new Set<string>();
  for (const entry of listAt(container.body, "env")) {
    const name = textAt(entry, "name");
    // Not known yet: judged again before it is deployed.
    if (!isMap(entry) || name === undefined || hasUnknown(entry.valueFrom)) continue;
    if (seen.has(name)) {
      findings.push({
        subject,
        why: `${containerText(container)} has ${name} twice in env; the last one counts`,
        remedy: `only one ${name}`,
      });
    }
    seen.add(name);
    const origin = originOf(entry);
    const line = `${at} ${name}${origin === undefined ? "" : ` ${origin}`}`;
    const own =
      origin === undefined && entry.value !== UNKNOWN
        ? `${at} ${name}=${textAt(entry, "value") ?? ""}`
        : line;
    if (entry.value === UNKNOWN) continue;
    if (isDeclared(own, ENVIRONMENT, { declared: [] }) || config.declared.includes(line)) continue;
    if (origin !== undefined) refuse(`has ${name} ${origin}, which is not declared`, line);
    else if (isWatched(pod, container))
      refuse(`has the variable ${name}, which is not declared, or not with this value`, line);
    else if (isSteering(name)) refuse(`has ${name}, which steers what its program does`, line);
  }
  for (const source of listAt(container.body, "envFrom")) {
    if (!isMap(source) || hasUnknown(source)) continue;
    const kind = ["secretRef", "configMapRef"].find((key) => source[key] !== undefined) ?? "nothing";
    const line = `${at} all from ${kind.replace(/Ref$/, "")} ${textAt(field(source, kind), "name") ?? ""}`;
    if (!isDeclared(line, ENVIRONMENT, config))
      refuse(`takes its environment from envFrom, whatever that holds`, line);
  }
  return findings;
}

export const declaredEnvironment = podRule<Declared>({
  name: NAME,
  asks: "variables of the database's containers, values from Secrets, and variables that steer a program: only as declared",
  description: "An undeclared variable can make the database, or what reads its Secrets, do something else",
  level: "mandatory",
  schema: declaredSchema(
    "Variables, `<kind>/<name> <container> <NAME>`, followed by ` from secret <name>` if it is read from one",
  ),
  check: (pod, config) => pod.containers.flatMap((container) => findingsIn(pod, container, config)),
});
