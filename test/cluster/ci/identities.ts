/** A stack of its own for the tests of CI's identities, deployed with nothing but the kubeconfigs of `ci:access`. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import type { LocalCluster } from "../../../tools/local-cluster/cluster.ts";
import { STAND_INS } from "../../../tools/local-cluster/images.ts";
import { copyProject } from "../../../tools/project-copy.ts";
import { withFields } from "../../../tools/stack-file/editing.ts";
import { endPluginsOf } from "../../orphans.ts";
import { execute, type Ran, succeed } from "../support.ts";

/** Who runs a command: an identity of CI, or the operator, who may do everything. */
export type Who = "deploy" | "preview" | "operator";

/** A checkout with the stack `dev`, its state, and the kubeconfigs. */
export class CiCheckout {
  /** What encrypts the secrets in the state. */
  static readonly passphrase = "a passphrase of this test";

  readonly scratch = mkdtempSync(join(tmpdir(), "transcript-pipeline-rights-"));
  readonly directory = join(this.scratch, "checkout");
  private readonly cluster: LocalCluster;
  private readonly engine: string;
  private readonly configFile = join(this.directory, "Pulumi.dev.yaml");

  constructor(cluster: LocalCluster, engine: string) {
    this.cluster = cluster;
    this.engine = engine;
    copyProject(this.directory);
    mkdirSync(join(this.scratch, "state"));
    this.configure({
      node: { hostname: cluster.nodeName, connection: "local" },
      storage: { path: join(this.scratch, "pgdata"), capacity: "1Gi" },
      ...STAND_INS,
    });
  }

  /** The kubeconfig of an identity. */
  kubeconfig(who: Who): string {
    return who === "operator" ? this.cluster.kubeconfig : join(this.scratch, `kubeconfig-${who}`);
  }

  /** Changes the stack's configuration. */
  configure(sections: Record<string, Record<string, unknown>>): void {
    writeFileSync(this.configFile, withFields(readFileSync(this.configFile, "utf8"), sections));
  }

  /** The environment of a runner whose only kubeconfig is an identity's, in the default place. */
  private environment(who: Who): NodeJS.ProcessEnv {
    const home = join(this.scratch, `home-${who}`);
    mkdirSync(join(home, ".kube"), { recursive: true });
    writeFileSync(join(home, ".kube/config"), readFileSync(this.kubeconfig(who)), { mode: 0o600 });
    return {
      PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}${delimiter}${dirname(this.cluster.kubectl)}`,
      PULUMI_BACKEND_URL: `file://${join(this.scratch, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: CiCheckout.passphrase,
      PULUMI_HOME: process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"),
      HOME: home,
      KUBECONFIG: "",
    };
  }

  /** The engine, on this stack. */
  pulumi(who: Who, ...args: string[]): Promise<Ran> {
    return execute(this.engine, [...args, "--stack", "dev", "--non-interactive"], {
      cwd: this.directory,
      env: this.environment(who),
    });
  }

  /**
   * kubectl, with nothing but this kubeconfig.
   *
   * @param timeout milliseconds, after which it is killed
   */
  kubectl(who: Who, args: readonly string[], input?: string, timeout = 30_000): Promise<Ran> {
    return execute(this.cluster.kubectl, ["--kubeconfig", this.kubeconfig(who), ...args], {
      env: this.environment(who),
      timeout,
      ...(input !== undefined && { input }),
    });
  }

  /** `npm run --silent <script>` on this stack. */
  script(who: Who, name: string, ...args: string[]): Promise<Ran> {
    return execute("npm", ["run", "--silent", name, "--", "--stack", "dev", ...args], {
      cwd: this.directory,
      env: this.environment(who),
    });
  }

  /** `npm run --silent ci:access`, as the operator. */
  access(...args: string[]): Promise<Ran> {
    return this.script("operator", "ci:access", ...args);
  }

  /** Makes the stack and both identities. Returns what the command said. */
  async prepare(): Promise<string> {
    const env = this.environment("operator");
    await succeed(this.engine, ["stack", "init", "dev", "--non-interactive"], { cwd: this.directory, env });
    let said = "";
    for (const use of ["deploy", "preview"] as const) {
      const ran = await this.access(use, "--expires", "1d", "--out", this.kubeconfig(use));
      assert.equal(ran.status, 0, ran.output);
      said += ran.output;
    }
    return said;
  }

  /** Removes the stack and all that was written. */
  async remove(): Promise<void> {
    await this.access("remove");
    for (const object of [
      ["namespace", "transcript-pipeline"],
      ["pv", "postgres-pv"],
    ])
      await this.kubectl("operator", ["delete", ...object, "--ignore-not-found"], undefined, 120_000);
    endPluginsOf(this.scratch);
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
