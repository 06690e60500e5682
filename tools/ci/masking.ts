/**
 * Keeps a job's secrets out of everything that is printed or published. What tools write for other programs (the
 * engine's event log) is masked after parsing: an escaped secret does not look like itself.
 */
import type { EngineEvent, EventState, EventStep } from "../engine/events.ts";
import type { PlanSummary } from "../plan/summary.ts";
import type { StackPlan } from "../plan/markdown.ts";
import { distinct, secretsOf } from "./secret-values.ts";
import { encodedForms, escapedForms, plainOf } from "./written-forms.ts";

export { secretsOf } from "./secret-values.ts";

const MASK = "[secret]";

/** A secret of at least this many characters is masked everywhere. */
const LONG_ENOUGH = 4;

type Span = [start: number, end: number];

/** Masks a set of secrets in any text. */
export class Masker {
  private readonly secrets: ReadonlySet<string>;
  private readonly escaped: RegExp[];
  private readonly encoded: string[];
  /**
   * Shorter ones, masked only where they stand alone as a value: quoted, or after `=` or `: `. `a` is in nearly every
   * word, and masking it everywhere would leave nothing to read.
   */
  private readonly short: RegExp[];

  constructor(secrets: readonly string[]) {
    const all = distinct(secrets);
    const long = all.filter((secret) => secret.length >= LONG_ENOUGH);
    this.secrets = new Set(all);
    this.escaped = long.flatMap(escapedForms);
    this.encoded = [...new Set(long.flatMap(encodedForms))];
    this.short = all
      .filter((secret) => secret.length < LONG_ENOUGH)
      .flatMap(escapedForms)
      .map(({ source }) => new RegExp(`(?<=["'\`=]|: )(?:${source})(?=["'\`&;,\\s\\\\]|$)`, "gu"));
  }

  private spansIn(text: string): Span[] {
    const spans: Span[] = [];
    for (const form of [...this.escaped, ...this.short]) {
      for (const match of text.matchAll(form)) spans.push([match.index, match.index + match[0].length]);
    }
    if (this.encoded.length > 0) {
      const { text: plain, starts, ends } = plainOf(text);
      for (const form of this.encoded) {
        for (let at = plain.indexOf(form); at >= 0; at = plain.indexOf(form, at + 1))
          spans.push([starts[at] ?? 0, ends[at + form.length - 1] ?? text.length]);
      }
    }
    return spans.sort(([a], [b]) => a - b);
  }

  /** The text with every secret replaced. */
  text(text: string): string {
    let result = "";
    let done = 0;
    let last: Span | undefined;
    const close = () => {
      if (last === undefined) return;
      result += text.slice(done, last[0]) + MASK;
      done = last[1];
    };
    // Overlapping spans are merged: what is left between two masks would be part of a secret.
    for (const [start, end] of this.spansIn(text)) {
      if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
      else {
        close();
        last = [start, end];
      }
    }
    close();
    return result + text.slice(done);
  }

  /** A parsed value with every text in it masked, including names of properties and numbers that are secrets. */
  value(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number" || typeof value === "bigint")
      return this.secrets.has(String(value)) ? MASK : value;
    if (Array.isArray(value)) return value.map((entry) => this.value(entry));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => [this.text(name), this.value(entry)]),
    );
  }

  private state(state: EventState | null | undefined): EventState | null {
    if (!state) return null;
    const { inputs, protect, retainOnDelete } = state;
    return {
      ...(inputs && { inputs: this.value(inputs) as Record<string, unknown> }),
      ...(protect !== undefined && { protect }),
      ...(retainOnDelete !== undefined && { retainOnDelete }),
    };
  }

  private step({ op, type, urn, old, new: next, detailedDiff, keys, diffs }: EventStep): EventStep {
    return {
      op,
      type,
      urn: this.text(urn),
      old: this.state(old),
      new: this.state(next),
      ...(detailedDiff && {
        detailedDiff: Object.fromEntries(
          Object.entries(detailedDiff).map(([path, { diffKind }]) => [this.text(path), { diffKind }]),
        ),
      }),
      ...(keys && { keys: keys.map((key) => this.text(key)) }),
      ...(diffs && { diffs: diffs.map((path) => this.text(path)) }),
    };
  }

  /**
   * An engine event, as far as it is read. The engine's own words (operation, type, severity) stay: with the passphrase
   * "update" the event would be unreadable.
   */
  event({ resourcePreEvent, resOutputsEvent, diagnosticEvent, policyEvent }: EngineEvent): EngineEvent {
    const of = <T extends { metadata: EventStep }>(event: T) => ({ metadata: this.step(event.metadata) });
    return {
      ...(resourcePreEvent && { resourcePreEvent: of(resourcePreEvent) }),
      ...(resOutputsEvent && { resOutputsEvent: of(resOutputsEvent) }),
      ...(diagnosticEvent && {
        diagnosticEvent: { ...diagnosticEvent, message: this.text(diagnosticEvent.message) },
      }),
      ...(policyEvent && {
        policyEvent: {
          ...policyEvent,
          policyName: this.text(policyEvent.policyName),
          message: this.text(policyEvent.message),
        },
      }),
    };
  }

  /** A summary, whose sentences are assembled from parts. */
  summary(summary: PlanSummary): PlanSummary {
    const each = (texts: readonly string[]) => texts.map((text) => this.text(text));
    return {
      ...summary,
      statements: summary.statements.map(({ severity, text }) => ({ severity, text: this.text(text) })),
      drift: each(summary.drift),
      refusals: each(summary.refusals),
      advice: each(summary.advice),
      errors: each(summary.errors),
      warnings: each(summary.warnings),
    };
  }

  /** What is published of a preview. */
  plan(plan: StackPlan): StackPlan {
    return { ...plan, summary: this.summary(plan.summary), diff: this.text(plan.diff) };
  }
}

/** What the job has learned in addition to its environment: the decrypted values of a stack's file. */
const learned = new Set<string>();
let current: { of: string; masker: Masker } | undefined;

/** Masks further values from now on, as long as this process runs. */
export function keepSecret(values: readonly string[]): void {
  for (const value of values) learned.add(value);
  current = undefined;
}

/** What masks this process's secrets. */
export function masker(): Masker {
  const of = JSON.stringify(process.env);
  if (current?.of !== of) current = { of, masker: new Masker([...secretsOf(process.env), ...learned]) };
  return current.masker;
}

/** The text with every secret value replaced. */
export function masked(text: string, secrets?: readonly string[]): string {
  return (secrets === undefined ? masker() : new Masker(secrets)).text(text);
}

/** A message about secrets that are too short to be masked everywhere, which it does not show, or undefined. */
export function weakness(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const short = Object.keys(env).filter((name) => {
    const value = env[name] ?? "";
    return value !== "" && value.length < LONG_ENOUGH && secretsOf({ [name]: value }).length > 0;
  });
  if (short.length === 0) return undefined;
  return (
    `${short.join(", ")}: shorter than ${LONG_ENOUGH} characters, and masked only where it stands alone as a value. ` +
    "Choose a longer one: pulumi stack change-secrets-provider passphrase"
  );
}
