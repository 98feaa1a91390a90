/** What may go wrong. */

import type { components } from "./schema.js";

export type Problem = components["schemas"]["ProblemDocument"];

/** The service refused or failed. `type` never changes its meaning; `fields` are what it is about. */
export class MarketDataError extends Error {
  readonly type: string;
  readonly fields: string[];
  readonly choices: string[];

  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(`${problem.title ?? `HTTP ${status}`}: ${problem.detail ?? "no more is said"}`);
    this.name = "MarketDataError";
    this.type = problem.type ?? "about:blank";
    this.fields = (problem.errors ?? []).map((one) => one.field);
    this.choices = [...(problem.choices ?? [])];
  }
}

/** Nobody answered, after all tries. */
export class ConnectionFailed extends Error {
  override readonly name = "ConnectionFailed";
}
