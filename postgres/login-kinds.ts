/** What a login may do; its group role is `transcripts_<kind>` (sql/bootstrap). */
export const LOGIN_KINDS = ["readwrite", "readonly", "monitoring"] as const;
export type LoginKind = (typeof LOGIN_KINDS)[number];
