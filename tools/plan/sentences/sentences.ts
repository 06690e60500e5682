import type { Change } from "../changes.ts";
import type { Say } from "../statements.ts";

/** What a capability says about the plan. */
export interface Sentences {
  /** Whether a resource is the capability's. */
  owns(resource: Pick<Change, "type" | "logicalName">): boolean;
  /**
   * Says what the change to such a resource means for the people who own the database.
   *
   * @param plan all changes
   */
  say(change: Change, say: Say, plan: readonly Change[]): void;
  /**
   * What a first deployment does with the capability's resources besides creating them: a clause of the sentence that
   * counts them, or a sentence. @default nothing
   */
  first?(own: readonly Change[]): { clause?: string; sentence?: string };
  /** Which resources need no sentence, because those about the capability's own resources cover them. @default none */
  silences?(plan: readonly Change[]): (change: Change) => boolean;
}
