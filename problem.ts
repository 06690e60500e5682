/** Something that is refused: the configuration key it concerns, what is wrong with its value, and the way out. */
export interface Problem {
  /** `database.limits.memory` */
  key: string;
  message: string;
}

/** What a check has found. */
export interface Findings {
  /** What stops the deployment. */
  problems: Problem[];
  /** Sentences with their numbers, for a person to weigh. They stop nothing. */
  warnings: string[];
}

/** A problem on one line. */
export function problemLine({ key, message }: Problem): string {
  return `${key}: ${message}`;
}

/** The findings of several checks. */
export function allFindings(findings: readonly Partial<Findings>[]): Findings {
  return {
    problems: findings.flatMap(({ problems = [] }) => problems),
    warnings: findings.flatMap(({ warnings = [] }) => warnings),
  };
}
