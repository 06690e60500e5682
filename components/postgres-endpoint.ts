/** The interface between the database and everything that uses it. */
import type * as pulumi from "@pulumi/pulumi";

/**
 * What consumers need: the migration, and future backups, exporters, poolers and workers. It does not depend on how the
 * server runs, so that a replicated cluster can implement it later.
 */
export interface PostgresEndpoint {
  /** DNS name inside the cluster. */
  host: pulumi.Input<string>;
  port: pulumi.Input<number>;
  /** The database's name. */
  database: pulumi.Input<string>;
  /** The role that owns it. */
  owner: pulumi.Input<string>;
  /** Secret in the same namespace with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD of the owner. */
  secretName: pulumi.Input<string>;
  /** A dependency: once it exists, the server accepts connections with the Secret's password. */
  ready: pulumi.Resource;
}
