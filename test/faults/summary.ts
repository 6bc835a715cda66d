/** What came of many rounds. */
export interface Summary {
  readonly rounds: number;
  /** How many rounds ended how. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly wrong: readonly WrongRound[];
}

export interface WrongRound {
  /** Plays this round again. */
  readonly seed: string;
  readonly why: string;
}

/** Counts rounds as they end. */
export class Tally {
  readonly #outcomes = new Map<string, number>();
  readonly #wrong: WrongRound[] = [];
  #rounds = 0;

  add(outcome: string): void {
    this.#rounds += 1;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  addWrong(round: WrongRound): void {
    this.#rounds += 1;
    this.#wrong.push(round);
  }

  get summary(): Summary {
    const outcomes = [...this.#outcomes].sort(([a], [b]) => a.localeCompare(b));
    return { rounds: this.#rounds, outcomes: Object.fromEntries(outcomes), wrong: this.#wrong };
  }
}

/** All of them as one. */
export function addUp(summaries: readonly Summary[]): Summary {
  const outcomes: Record<string, number> = {};
  for (const summary of summaries) {
    for (const [outcome, count] of Object.entries(summary.outcomes))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  }
  return {
    rounds: summaries.reduce((sum, { rounds }) => sum + rounds, 0),
    outcomes,
    wrong: summaries.flatMap(({ wrong }) => wrong),
  };
}

/** "200 kill -9, transactional: 61 before, 139 after a version, 0 wrong outcomes (seed 7)", then each wrong one. */
export function summaryText(title: string, { rounds, outcomes, wrong }: Summary, extent: string): string {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return [
    `${rounds} ${title}: ${[...counts, `${wrong.length} wrong outcomes`].join(', ')} (${extent})`,
    ...wrong.map(({ seed, why }) => `  FLYBACK_FAULTS_ROUND="${seed}": ${why.replaceAll('\n', '\n    ')}`),
  ].join('\n');
}
