import type { CatalogWatch, Touched } from '../adapter/catalog-watch.js';
import type {
  BatchOutcome,
  Command,
  OnAnswer,
  OnCommandAnswer,
  PipelineOutcome,
  QueryResult,
  ServerFacts,
  ServerFailure,
  Session,
} from '../adapter/database.js';

/**
 * A session that asks each transaction, right before its commit, what it has touched. The commits are the run's own: what is
 * watched is what runs in production, to the letter, but for that question. `keepsPlans`: nothing that runs here ends what
 * the server has prepared, so it keeps the plans of what every run sends.
 */
export class WatchedSession implements Session {
  readonly #session: Session;
  readonly #watch: CatalogWatch;
  readonly #commit: string;
  readonly #keepsPlans: boolean;
  #touched: Touched[] = [];

  constructor(session: Session, watch: CatalogWatch, commit: string, keepsPlans: boolean) {
    this.#session = session;
    this.#watch = watch;
    this.#commit = commit;
    this.#keepsPlans = keepsPlans;
  }

  /** What the transactions since the last call have touched, in their order. */
  takeTouched(): readonly Touched[] {
    const taken = this.#touched;
    this.#touched = [];
    return taken;
  }

  get facts(): ServerFacts {
    return this.#session.facts;
  }

  async query(sql: string): Promise<readonly QueryResult[]> {
    if (sql !== this.#commit) return this.#session.query(sql);
    const [asked] = await this.#session.query(this.#watch.questionSql);
    const committed = await this.#session.query(sql);
    this.#note(asked);
    return committed;
  }

  async pipeline(messages: readonly string[], onAnswer?: OnAnswer): Promise<PipelineOutcome> {
    const { sent, isAsked } = this.#withQuestions(
      messages,
      (message) => message === this.#commit,
      this.#watch.questionSql,
    );
    const outcome = await this.#session.pipeline(sent, (index, results) => {
      if (isAsked.has(index)) this.#note(results[0]);
      else onAnswer?.(index - before(isAsked, index), results);
    });
    return {
      results: outcome.results.filter((_, index) => !isAsked.has(index)),
      failure: this.#failure(outcome.failure, isAsked),
    };
  }

  async batch(commands: readonly Command[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome> {
    const { sent, isAsked } = this.#withQuestions(
      commands.map((command) => this.#planned(command)),
      ({ sql }) => sql === this.#commit,
      this.#planned(this.#watch.question),
    );
    const outcome = await this.#session.batch(sent, (index, result) => {
      if (isAsked.has(index)) this.#note(result);
      else onAnswer?.(index - before(isAsked, index), result);
    });
    return {
      results: outcome.results.filter((_, index) => !isAsked.has(index)),
      failure: this.#failure(outcome.failure, isAsked),
    };
  }

  forgetPlans(): void {
    if (!this.#keepsPlans) this.#session.forgetPlans();
  }

  copyIn(statement: string, data: string): Promise<QueryResult | { readonly failure: ServerFailure }> {
    return this.#session.copyIn(statement, data);
  }

  takeNotices(): readonly string[] {
    return this.#session.takeNotices();
  }

  cancel(): Promise<void> {
    return this.#session.cancel();
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** A run of one version says of what every run sends that it does not come again: here it does, with the next version. */
  #planned(command: Command): Command {
    return command.keepsPlan === undefined ? command : { ...command, keepsPlan: this.#keepsPlans };
  }

  #withQuestions<T>(
    messages: readonly T[],
    isCommit: (message: T) => boolean,
    question: T,
  ): { readonly sent: readonly T[]; readonly isAsked: ReadonlySet<number> } {
    const sent: T[] = [];
    const isAsked = new Set<number>();
    for (const message of messages) {
      if (isCommit(message)) {
        isAsked.add(sent.length);
        sent.push(question);
      }
      sent.push(message);
    }
    return { sent, isAsked };
  }

  #note(result: QueryResult | undefined): void {
    if (result !== undefined) this.#touched.push(this.#watch.readTouched(result));
  }

  #failure(failure: PipelineOutcome['failure'], isAsked: ReadonlySet<number>): PipelineOutcome['failure'] {
    return failure === undefined ? undefined : { ...failure, index: failure.index - before(isAsked, failure.index) };
  }
}

/** How many of the questions come before this one. */
function before(isAsked: ReadonlySet<number>, index: number): number {
  return [...isAsked].filter((asked) => asked < index).length;
}
