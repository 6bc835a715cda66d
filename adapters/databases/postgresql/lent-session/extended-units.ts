import { deferred } from './deferred.js';
import type { Lending } from './lending.js';
import {
  BodyReader,
  closePortal,
  closeStatement,
  describeStatement,
  errorFields,
  errorResponse,
  flush,
  readyForQuery,
  rowCountOf,
  serverError,
  sync,
  type Frame,
} from './messages.js';
import { codePointAt, indexOfCodePoint } from './positions.js';
import {
  describing,
  PreparedStatements,
  statementsOf,
  type Expected,
  type Portal,
  type Step,
} from './prepared-statements.js';
import type { ProgramConnection } from './program-connection.js';
import { untold } from './verdict.js';

/** From the first message to the Sync: "Extended Query" in the PostgreSQL manual. */
interface Unit {
  readonly endTurn: () => void;
  readonly expected: Expected[];
  /** Everything up to Sync is passed over. */
  hasFailed: boolean;
  /** Settles at ReadyForQuery; undefined: the server was sent nothing yet. */
  ended: Promise<void> | undefined;
  since: number;
}

/** The extended protocol of one connection. */
export class ExtendedUnits {
  readonly #connection: ProgramConnection;
  readonly #statements: PreparedStatements;
  #unit: Unit | undefined;

  constructor(connection: ProgramConnection, prefix: string) {
    this.#connection = connection;
    this.#statements = new PreparedStatements(prefix);
  }

  /** All is answered, but the program has not said yet that this is all. */
  get waitsForProgram(): boolean {
    return this.#unit !== undefined && this.#unit.expected.length === 0;
  }

  /** The messages before a Flush or a Sync. With a Flush the turn stays this connection's. */
  async run(lending: Lending, messages: readonly Frame[], isSync: boolean): Promise<void> {
    if (this.#unit === undefined) {
      const endTurn = await lending.turn(this.#connection);
      this.#statements.beginUnit();
      this.#unit = {
        endTurn,
        expected: [],
        hasFailed: false,
        ended: undefined,
        since: performance.now(),
      };
    }
    const unit = this.#unit;
    if (this.#connection.isGone || lending.lost !== undefined) return;
    const parts = unit.hasFailed ? [] : await this.#pass(lending, unit, messages);
    if (isSync && !lending.hasBegun(this.#connection)) parts.push(...this.#closePortals(unit));
    const isUnderWay = parts.length > 0 || unit.ended !== undefined;
    if (isUnderWay) this.#send(lending, unit, [...parts, isSync ? sync : flush]);
    if (!isSync) return;
    if (unit.ended === undefined) this.#connection.write(readyForQuery(this.#status(lending, unit)));
    await this.#end(lending, unit);
  }

  #send(lending: Lending, unit: Unit, parts: readonly Buffer[]): void {
    const bytes = Buffer.concat(parts);
    if (unit.ended === undefined) {
      unit.since = performance.now();
      unit.ended = lending.exchange(bytes, (frame) => this.#heard(lending, unit, frame));
    } else {
      lending.send(bytes);
    }
  }

  async #end(lending: Lending, unit: Unit): Promise<void> {
    await unit.ended;
    if (lending.lost !== undefined) this.#failed(lending, unit, lending.lost, undefined);
    this.#unit = undefined;
    unit.endTurn();
  }

  /** Ends what is under way, and leaves nothing of this connection on the server. */
  async leave(lending: Lending): Promise<void> {
    const unit = this.#unit;
    if (unit !== undefined) {
      if (unit.ended !== undefined) lending.send(sync);
      await this.#end(lending, unit);
    }
    const parts = [
      ...this.#statements.takePortals().map(({ serverName }) => closePortal(serverName)),
      ...this.#statements.serverNames.map(closeStatement),
    ];
    if (parts.length === 0) return;
    const endTurn = await lending.turn(this.#connection);
    await lending.exchange(Buffer.concat([...parts, sync]), () => undefined);
    endTurn();
  }

  #status(lending: Lending, unit: Unit): 'I' | 'T' | 'E' {
    return unit.hasFailed && lending.hasBegun(this.#connection) ? 'E' : lending.statusFor(this.#connection);
  }

  /** Outside of a transaction of the program portals end with the unit. */
  #closePortals(unit: Unit): Buffer[] {
    const open = this.#statements.takePortals();
    if (unit.hasFailed) return [];
    return open.map(({ serverName, prepared }) => {
      unit.expected.push({ endsWith: '3', isOwn: true, prepared });
      return closePortal(serverName);
    });
  }

  /** Answers what the door answers itself; what is to be sent to the server instead. */
  async #pass(lending: Lending, unit: Unit, messages: readonly Frame[]): Promise<Buffer[]> {
    let steps: Step[] = [];
    for (const frame of messages) {
      const unclear = frame.type === 'B' ? this.#statements.withUnclearTypes(frame) : undefined;
      if (unclear !== undefined) {
        const described = deferred();
        const expected = { ...describing(unclear, undefined), isOwn: true, onEnd: described.resolve };
        const describe = { kind: 'send', bytes: describeStatement(unclear.serverName), expected } as const;
        const parts = await this.#take(lending, unit, [...steps, ...this.#statements.remade(unclear), describe]);
        if (parts.length === 0) return [];
        this.#send(lending, unit, [...parts, flush]);
        await Promise.race([described.promise, unit.ended]);
        if (this.#hasFailed(unit) || lending.lost !== undefined) return [];
        steps = [];
        unit.since = performance.now();
      }
      steps.push(...this.#statements.translate(frame));
    }
    return this.#take(lending, unit, steps);
  }

  /** An answer may have come meanwhile. */
  #hasFailed(unit: Unit): boolean {
    return unit.hasFailed;
  }

  async #take(lending: Lending, unit: Unit, steps: readonly Step[]): Promise<Buffer[]> {
    const isControl = steps.length > 0 && steps.every(({ kind }) => kind === 'control');
    if (isControl && unit.ended === undefined) {
      for (const step of steps) {
        if (step.kind === 'send') continue;
        const reply = 'reply' in step ? step.reply : await lending.control(this.#connection, step.judgement.control);
        this.#connection.write(reply);
        unit.hasFailed ||= reply[0] === 0x45; /* E */
        if (unit.hasFailed) break;
      }
      return [];
    }
    const reason = steps.length === 0 ? undefined : (lending.verdict.refusal ?? this.#refusalOf(lending, steps));
    if (reason !== undefined) {
      lending.verdict.refuse(reason);
      unit.hasFailed = true;
      this.#connection.write(errorResponse('ERROR', '0A000', reason));
      return [];
    }
    return steps.flatMap((step) => {
      if (step.kind !== 'send') return [];
      unit.expected.push(step.expected);
      return [step.bytes];
    });
  }

  /** Tells what is to be executed, unless something speaks against it. */
  #refusalOf(lending: Lending, steps: readonly Step[]): string | undefined {
    if (steps.some(({ kind }) => kind === 'control')) {
      return 'The program began or ended its transaction together with other statements: what does that must come by itself.';
    }
    for (const step of steps) {
      if (step.kind !== 'send') continue;
      const { endsWith, portal, prepared } = step.expected;
      if (prepared?.judgement?.kind === 'refused') return prepared.judgement.reason;
      if (endsWith !== 'CIs' || portal === undefined || portal.index !== undefined) continue;
      const [statement] = statementsOf(portal.written.text);
      if (statement === undefined) {
        portal.index = untold;
      } else if (portal.prepared.judgement?.kind === 'goes-back') {
        lending.verdict.tookBack();
        portal.index = untold;
      } else {
        const told = lending.verdict.tell(this.#connection, statement.text);
        if (typeof told !== 'number') return told.reason;
        portal.index = told;
      }
    }
    return undefined;
  }

  #heard(lending: Lending, unit: Unit, { type, body, bytes }: Frame): void {
    const [head] = unit.expected;
    const isEnd = head?.endsWith.includes(type) === true;
    if (isEnd) {
      unit.expected.shift();
      head.onEnd?.();
    }
    switch (type) {
      case 'Z':
        this.#connection.write(readyForQuery(lending.statusFor(this.#connection)));
        return;
      case 't': {
        if (head?.prepared === undefined) break;
        const reader = new BodyReader(body);
        head.prepared.parameterTypes = reader.list(() => reader.uint32());
        if (head.isOwn === true) return;
        break;
      }
      case 'T':
      case 'n':
        if (head?.prepared !== undefined) head.prepared.returnsRows = type === 'T';
        break;
      case 'C':
      case 's':
        if (head?.portal !== undefined)
          this.#answered(lending, unit, head.portal, type === 'C' ? rowCountOf(body) : null);
        break;
      case 'E':
        this.#failed(lending, unit, serverError(body), errorFields(body)['P']);
        break;
      default:
        if (lending.refusesCopy(type)) return;
    }
    if (!(isEnd && head.isOwn === true)) this.#connection.write(bytes);
  }

  #answered(lending: Lending, unit: Unit, portal: Portal, rowCount: number | null): void {
    if (!portal.isAnswered) {
      lending.verdict.answer(portal.index ?? untold, rowCount, portal.prepared.returnsRows === true, unit.since);
    }
    portal.isAnswered = true;
    unit.since = performance.now();
  }

  /** The server passes over everything behind an error. */
  #failed(lending: Lending, unit: Unit, cause: Error, position: string | undefined): void {
    const passedOver = unit.expected.splice(0);
    for (const { undo, onEnd } of [...passedOver].reverse()) {
      undo?.();
      onEnd?.();
    }
    const [head] = passedOver;
    const wasFailed = unit.hasFailed;
    unit.hasFailed = true;
    if (wasFailed || head === undefined) return;
    const { prepared } = head;
    const portal =
      head.portal ?? passedOver.find((each) => each.endsWith === 'CIs' && each.portal?.prepared === prepared)?.portal;
    const written = portal?.written ?? prepared?.attempt;
    const text = written?.text ?? prepared?.text ?? '';
    const [statement] = statementsOf(text);
    // What cannot be prepared is not executed, and was not told.
    const told =
      portal?.index ?? (statement === undefined ? untold : lending.verdict.tell(this.#connection, statement.text));
    const at = position === undefined ? undefined : indexOfCodePoint(prepared?.text ?? '', Number(position) - 1);
    const place = at === undefined ? undefined : (written?.place(at) ?? at) - (statement?.offset ?? 0);
    lending.verdict.fail(
      typeof told === 'number' ? told : untold,
      cause,
      place === undefined || place < 0 ? undefined : codePointAt(statement?.text ?? '', place) + 1,
    );
  }
}
