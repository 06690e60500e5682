/** What the tests want of a secret store, whoever made it. */

/** A store in the cluster, and the object by which the controller reads it. */
export interface Store {
  /** As its users know it. */
  readonly title: string;
  /** Name of its ClusterSecretStore. */
  readonly clusterStore: string;
  /** Starts it, empty, and makes its ClusterSecretStore. */
  start(): Promise<void>;
  /** Keeps a value under a name, in the field `value`; one that is there is replaced. */
  put(name: string, value: string): Promise<void>;
  /** Removes a value with its history. */
  forget(name: string): Promise<void>;
  /** Goes away: nobody answers at its address. */
  leave(): Promise<void>;
  /** Comes back. */
  come(): Promise<void>;
  /** Removes it. */
  remove(): Promise<void>;
}
