/** The interface between the database and everything that uses it. */
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/** How clients make sure that they are talking to the server: always the certificate and the name (`verify-full`). */
export interface ServerTrust {
  /** A volume with the file `ca.crt`: the authorities that clients trust. @default those of the client's own system */
  ca?: Omit<k8s.types.input.core.v1.Volume, "name"> | undefined;
}

/** Where clients mount the authorities, and the value of `sslrootcert`. */
export const TRUST_PATH = "/etc/postgres-ca";

/** `sslrootcert` of libpq: a file, or the roots of the system (PostgreSQL 16). */
export function rootCertificates({ ca }: ServerTrust): string {
  return ca ? `${TRUST_PATH}/ca.crt` : "system";
}

/** How libpq and those who read its variables reach the server, without who logs in. */
export function connectionEnvironment({
  host,
  port,
  trust,
}: Pick<PostgresEndpoint, "host" | "port" | "trust">): { name: string; value: pulumi.Input<string> }[] {
  return [
    { name: "PGHOST", value: host },
    { name: "PGPORT", value: pulumi.output(port).apply(String) },
    ...(trust
      ? [
          { name: "PGSSLMODE", value: "verify-full" },
          { name: "PGSSLROOTCERT", value: rootCertificates(trust) },
        ]
      : []),
  ];
}

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
  /** How clients verify the server. @default its connections are not encrypted */
  trust?: ServerTrust | undefined;
  /** A dependency: once it exists, the server accepts connections with the Secret's password. */
  ready: pulumi.Resource;
}
