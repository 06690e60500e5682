/** Where the repository of these tests is: a server in the cluster. */
export interface Place {
  /** Starts it, empty. */
  start(): Promise<void>;
  /** Removes it with what it holds. */
  remove(): Promise<void>;
  /** The repository's fields, once it has started. */
  readonly fields: Record<string, unknown>;
  /** The repository's secrets, once it has started. */
  readonly secrets: Record<string, string>;
}
