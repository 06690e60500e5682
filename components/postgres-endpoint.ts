/** The interface between the database and everything that uses it. */
import type * as pulumi from "@pulumi/pulumi";

/**
 * What a consumer of the database takes: the migration, and backups, exporters, poolers and workers to come.
 * Nothing of it says how the server is run, so that a replicated cluster can one day stand behind it.
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
  /** To depend on: the server accepts connections with the Secret's password once this exists. */
  ready: pulumi.Resource;
}
