/** A refusal: the configuration key it concerns, what is wrong with the value, and how to fix it. */
export interface Problem {
  /** `database.limits.memory` */
  key: string;
  message: string;
}

/** The result of a check. */
export interface Findings {
  /** These stop the deployment. */
  problems: Problem[];
  /** Sentences with numbers. They do not stop the deployment. */
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
