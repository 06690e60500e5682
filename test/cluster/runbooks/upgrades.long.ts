import assert from "node:assert/strict";
import { kubectl, shell, sql, succeed, tagged, theCluster, until } from "../support.ts";
import { EVERY_ROW, NAMESPACE, findEveryRow, follow, get, onProd, prod, server } from "./prod.ts";

/** A separate server with nothing in it. */
function emptyServer(name: string): object {
  const command =
    "initdb --username=postgres --auth=trust /tmp/data && exec postgres -D /tmp/data -k /var/run/postgresql";
  const container = {
    name: "postgres",
    image: theCluster().postgresImage,
    command: ["bash", "-ec", command],
    securityContext: { runAsUser: 999, runAsGroup: 999 },
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { containers: [container], terminationGracePeriodSeconds: 1 },
  };
}

describe("docs/upgrades.md", function () {
  this.timeout(300_000);
  onProd();

  it("another image of the same pgvector and distribution restarts the server once", async () => {
    // The stand-in's own tag does not say what it contains.
    await follow("minor-image", { IMAGE: await tagged("0.8.5-pg16-bookworm") });
    const before = await server();
    const IMAGE = await tagged("0.8.5-pg16-bookworm", "changed");
    const output = await follow("minor-image", { IMAGE });
    assert.match(
      output,
      /Restarts the server, once: .*containers\.postgres\.image \S+ → localhost\/changed\//,
    );
    assert.notEqual(await server(), before);
    assert.match(
      await get("pod postgres-0", "jsonpath={.spec.containers[0].image}"),
      /^localhost\/changed\//,
    );
    assert.match(
      await get("pod postgres-0", "jsonpath={.status.containerStatuses[*].restartCount}"),
      /^0( 0)*$/,
    );
    await findEveryRow();
  });

  it("another pgvector and distribution upgrade the existing database", async () => {
    // As an older image left them: the extension's SQL objects, a collation of older libraries, and its indexes.
    await sql(
      `create collation sorted (provider = icu, locale = 'de');
       create index sorted_title on recordings (title collate sorted);
       create index sorted_upper on recordings ((upper(title) collate sorted)) where duration_ms is null;
       update pg_collation set collversion = '1.0' where collname = 'sorted';
       update pg_extension set extversion = '0.8.4' where extname = 'vector'`,
      "postgres",
    );
    const files = async (names: string) =>
      (
        await sql(
          `select string_agg(relfilenode::text, ' ' order by relname) from pg_class where relname ${names}`,
        )
      ).split(" ");
    const sorted = () => files("like 'sorted%'");
    const other = () => files("= 'recordings_recorded_at_idx'");
    const [sortedBefore, otherBefore] = [await sorted(), await other()];
    const output = await follow("upgrade-image", { IMAGE: await tagged("0.8.6-pg16-trixie") });
    assert.match(output, /ALTER EXTENSION vector UPDATE TO '0\.8\.5' \/\* from 0\.8\.4 \*\//);
    assert.match(output, /REINDEX INDEX public\.sorted_title/);
    assert.match(output, /vector +\| 0\.8\.5 +\| 0\.8\.5/);
    const noticed = await kubectl("logs", "postgres-0", "-n", NAMESPACE, "-c", "reconcile");
    assert.match(noticed, /extension vector of transcripts_db is at 0\.8\.4, and the image has 0\.8\.5/);
    assert.match(noticed, /collation sorted of transcripts_db was sorted by version 1\.0/);

    const outdated =
      "select count(*) from pg_collation where collversion <> pg_collation_actual_version(oid)";
    assert.equal(await sql(outdated), "0");
    for (const [index, file] of (await sorted()).entries()) assert.notEqual(file, sortedBefore[index]);
    assert.deepEqual(await other(), otherBefore, "an index was built again that no collation concerns");
    await findEveryRow();
    await sql("drop collation sorted cascade", "postgres");
    // A new cluster knows the stand-in only by its own name.
    await follow("minor-image", { IMAGE: theCluster().postgresImage });
  });

  it("the way to another major version keeps every row and every privilege", async () => {
    const pod = "newer";
    const NEW = `kubectl exec -i -n default ${pod} --`;
    const env = { NEW, KUBECONFIG: theCluster().kubeconfig };
    await succeed("kubectl", ["apply", "-f", "-"], { env, input: JSON.stringify(emptyServer(pod)) });
    try {
      await until("the new server answers", async () => (await shell(`${NEW} pg_isready`)).status === 0);
      await follow("leave", { NEW });
      const there = async (statement: string) => {
        const psql = "$NEW psql -X -At -v ON_ERROR_STOP=1 -U postgres -d transcripts_db";
        return (await succeed("bash", ["-c", psql], { env, input: statement })).stdout.trim();
      };
      assert.equal(await there(EVERY_ROW), prod().fingerprint);
      const rights = `select relname, relowner::regrole, (select array_agg(a order by a) from unnest(relacl::text[]) as a)
        from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S') order by relname`;
      assert.equal(await there(rights), await sql(rights));
    } finally {
      await shell(`kubectl delete pod ${pod} -n default --now`);
    }
  });
});
