import type { Statement } from '../../../../src/scripts/statement.js';
import { postgresqlDialect } from '../dialect.js';
import { deferred } from './deferred.js';
import { judge, type Judgement } from './judge.js';
import { untold, type Lending } from './lending.js';
import { repeatedParameters, writeLiterals, type Parameter, type WrittenStatement } from './literals.js';
import {
  BodyReader,
  closePortal,
  closeStatement,
  describePortal,
  describeStatement,
  errorFields,
  errorResponse,
  flush,
  message,
  readyForQuery,
  rowCountOf,
  serverError,
  sync,
  type Frame,
} from './messages.js';
import { codePointAt, indexOfCodePoint } from './positions.js';
import type { ProgramConnection } from './program-connection.js';

/** What Parse made. */
interface Prepared {
  readonly text: string;
  readonly typeIds: readonly number[];
  readonly serverName: string;
  /** Undefined: no statement, or more than one, which the server refuses. */
  readonly judgement: Judgement | undefined;
  /** The message that makes it. */
  readonly parse: Buffer;
  returnsRows: boolean | undefined;
  isDescribing: boolean;
  /** As the server tells them, once it was asked. */
  parameterTypes: readonly number[] | undefined;
  /** With values, as far as can be told before that. */
  attempt: WrittenStatement | undefined;
}

/** What Bind made. */
interface Portal {
  readonly prepared: Prepared;
  readonly serverName: string;
  readonly written: WrittenStatement;
  /** Once it was executed. */
  index: number | undefined;
  isAnswered: boolean;
}

/** What the server will answer to a message that it was sent. */
interface Expected {
  /** Types of the messages of which one ends the answer. */
  readonly endsWith: '1' | '2' | '3' | 'Tn' | 'CIs';
  /** Not asked by the program, which does not get the answer. */
  readonly isOwn?: boolean;
  readonly prepared?: Prepared | undefined;
  readonly portal?: Portal | undefined;
  /** When it was answered, or was passed over. */
  readonly onEnd?: (() => void) | undefined;
  /** When it was not done because of an error. */
  readonly undo?: (() => void) | undefined;
}

/** From the first message to the Sync: "Extended Query" in the PostgreSQL manual. */
interface Unit {
  readonly endTurn: () => void;
  readonly expected: Expected[];
  /** Everything up to Sync is passed over. */
  hasFailed: boolean;
  hasParsedUnnamed: boolean;
  /** Settles at ReadyForQuery; undefined: the server was sent nothing yet. */
  ended: Promise<void> | undefined;
  since: number;
}

/** What one message comes to. */
type Step =
  | { readonly kind: 'send'; readonly bytes: Buffer; readonly expected: Expected }
  | { readonly kind: 'control'; readonly reply: Buffer }
  | { readonly kind: 'control'; readonly judgement: Judgement & { readonly kind: 'control' } };

const copyRefused = 'COPY through a program cannot be shown in a plan.';
const nothing: Judgement = { kind: 'statement' };

/**
 * The extended protocol of one connection. Names of statements and portals are each connection's own, but on the server they
 * are in one session: there they have names of the door's.
 */
export class ExtendedUnits {
  readonly #connection: ProgramConnection;
  readonly #prefix: string;
  readonly #statements = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  #names = 0;
  #unit: Unit | undefined;

  constructor(connection: ProgramConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** All is answered, but the program has not said yet that this is all. */
  get waitsForProgram(): boolean {
    return this.#unit !== undefined && this.#unit.expected.length === 0;
  }

  /** The messages before a Flush or a Sync. With a Flush the turn stays this connection's. */
  async run(lending: Lending, messages: readonly Frame[], isSync: boolean): Promise<void> {
    if (this.#unit === undefined) {
      const endTurn = await lending.turn(this.#connection);
      this.#unit = {
        endTurn,
        expected: [],
        hasFailed: false,
        hasParsedUnnamed: false,
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
    const names = [...this.#statements.values()].map(({ serverName }) => serverName).filter((name) => name !== '');
    const parts = [...this.#portals.values()].map(({ serverName }) => closePortal(serverName));
    parts.push(...names.map(closeStatement));
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
    const open = [...this.#portals.values()].filter(({ prepared }) => prepared.judgement?.kind !== 'control');
    this.#portals.clear();
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
      const unclear = frame.type === 'B' ? this.#withUnclearTypes(frame) : undefined;
      if (unclear !== undefined) {
        const described = deferred();
        const expected = { ...describing(unclear, undefined), isOwn: true, onEnd: described.resolve };
        const describe = { kind: 'send', bytes: describeStatement(unclear.serverName), expected } as const;
        const parts = await this.#take(lending, unit, [...steps, ...this.#remade(unit, unclear), describe]);
        if (parts.length === 0) return [];
        this.#send(lending, unit, [...parts, flush]);
        await Promise.race([described.promise, unit.ended]);
        if (this.#hasFailed(unit) || lending.lost !== undefined) return [];
        steps = [];
        unit.since = performance.now();
      }
      steps.push(...this.#translate(unit, frame));
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
    const reason = steps.length === 0 ? undefined : (lending.refusal ?? this.#refusalOf(lending, steps));
    if (reason !== undefined) {
      lending.refuse(reason);
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

  /**
   * The statement of a Bind whose values cannot be written as literals before its types are known: in binary form, or in two
   * places, where the type of one place is that of the other too.
   */
  #withUnclearTypes({ body }: Frame): Prepared | undefined {
    const reader = new BodyReader(body);
    reader.text();
    const prepared = this.#statements.get(reader.text());
    if (prepared === undefined || prepared.parameterTypes !== undefined) return undefined;
    if (prepared.judgement?.kind !== 'statement') return undefined;
    const parameters = readParameters(reader, prepared.typeIds);
    const repeated = repeatedParameters(prepared.text);
    const isUnclear = parameters.some(
      ({ bytes, isBinary, typeId }, index) => typeId === 0 && ((isBinary && bytes !== null) || repeated.has(index + 1)),
    );
    if (!isUnclear) return undefined;
    prepared.attempt = writeLiterals(prepared.text, parameters);
    return prepared;
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
        lending.goesBack();
        portal.index = untold;
      } else {
        const told = lending.tell(this.#connection, statement.text);
        if (typeof told !== 'number') return told.reason;
        portal.index = told;
      }
    }
    return undefined;
  }

  #translate(unit: Unit, { type, body, bytes }: Frame): readonly Step[] {
    const reader = new BodyReader(body);
    switch (type) {
      case 'P':
        return [this.#parse(unit, reader.text(), reader.text(), reader)];
      case 'B':
        return this.#bind(unit, reader.text(), reader.text(), reader);
      case 'D':
        return reader.char() === 'S'
          ? this.#describeStatement(unit, reader.text(), bytes)
          : this.#describePortal(reader.text(), bytes);
      case 'E':
        return this.#execute(reader.text(), reader.rest(), bytes);
      default:
        return [
          reader.char() === 'S' ? this.#closeStatement(reader.text(), bytes) : this.#closePortal(reader.text(), bytes),
        ];
    }
  }

  #parse(unit: Unit, name: string, text: string, reader: BodyReader): Step {
    const rest = reader.rest();
    const typeIds = reader.list(() => reader.uint32());
    const statements = statementsOf(text);
    const [only] = statements;
    const judgement = only === undefined ? nothing : statements.length > 1 ? undefined : judge(only);
    const before = this.#statements.get(name);
    const serverName = name === '' ? '' : (before?.serverName ?? this.#newName());
    const parse = message('P', serverName, text, rest);
    const prepared = {
      text,
      typeIds,
      serverName,
      judgement,
      parse,
      returnsRows: undefined,
      isDescribing: false,
      parameterTypes: undefined,
      attempt: undefined,
    };
    this.#statements.set(name, prepared);
    if (name === '') unit.hasParsedUnnamed = true;
    if (judgement?.kind === 'control') return { kind: 'control', reply: message('1') };
    const undo = (): void => {
      if (before === undefined) this.#statements.delete(name);
      else this.#statements.set(name, before);
    };
    return { kind: 'send', bytes: parse, expected: { endsWith: '1', prepared, undo } };
  }

  /** The unnamed statement is the server's latest, whosever it is: behind the turns of others it is made once more. */
  #remade(unit: Unit, prepared: Prepared | undefined): readonly Step[] {
    if (prepared?.serverName !== '' || unit.hasParsedUnnamed || prepared.judgement?.kind === 'control') return [];
    unit.hasParsedUnnamed = true;
    return [{ kind: 'send', bytes: prepared.parse, expected: { endsWith: '1', isOwn: true, prepared } }];
  }

  #bind(unit: Unit, portalName: string, statementName: string, reader: BodyReader): readonly Step[] {
    const rest = reader.rest();
    const prepared = this.#statements.get(statementName);
    const portalServerName = portalName === '' ? '' : this.#newName();
    // One that the program has prepared in SQL has the same name on the server.
    const bytes = message('B', portalServerName, prepared?.serverName ?? statementName, rest);
    if (prepared === undefined) return [{ kind: 'send', bytes, expected: { endsWith: '2' } }];
    const parameters = readParameters(reader, prepared.typeIds);
    const { parameterTypes } = prepared;
    const repeated = parameterTypes === undefined ? undefined : repeatedParameters(prepared.text);
    const clear = parameters.map((parameter, index) =>
      parameter.typeId === 0 && (parameter.isBinary || repeated?.has(index + 1) === true)
        ? { ...parameter, typeId: parameterTypes?.[index] ?? 0 }
        : parameter,
    );
    const written = writeLiterals(prepared.text, clear);
    const portal = { prepared, serverName: portalServerName, written, index: undefined, isAnswered: false };
    const before = this.#portals.get(portalName);
    this.#portals.set(portalName, portal);
    if (prepared.judgement?.kind === 'control') return [{ kind: 'control', reply: message('2') }];
    const undo = (): void => {
      if (before === undefined || portalName === '') this.#portals.delete(portalName);
      else this.#portals.set(portalName, before);
    };
    return [
      ...this.#remade(unit, prepared),
      { kind: 'send', bytes, expected: { endsWith: '2', prepared, portal, undo } },
    ];
  }

  #describeStatement(unit: Unit, name: string, bytes: Buffer): readonly Step[] {
    const prepared = this.#statements.get(name);
    if (prepared?.judgement?.kind === 'control') {
      return [{ kind: 'control', reply: Buffer.concat([message('t', Buffer.alloc(2)), message('n')]) }];
    }
    const renamed = prepared === undefined ? bytes : describeStatement(prepared.serverName);
    return [
      ...this.#remade(unit, prepared),
      { kind: 'send', bytes: renamed, expected: describing(prepared, undefined) },
    ];
  }

  #describePortal(name: string, bytes: Buffer): readonly Step[] {
    const portal = this.#portals.get(name);
    if (portal?.prepared.judgement?.kind === 'control') return [{ kind: 'control', reply: message('n') }];
    const renamed = portal === undefined ? bytes : describePortal(portal.serverName);
    return [{ kind: 'send', bytes: renamed, expected: describing(portal?.prepared, portal) }];
  }

  #execute(name: string, rest: Buffer, bytes: Buffer): readonly Step[] {
    const portal = this.#portals.get(name);
    if (portal === undefined) return [{ kind: 'send', bytes, expected: { endsWith: 'CIs' } }];
    const { prepared, serverName } = portal;
    if (prepared.judgement?.kind === 'control') return [{ kind: 'control', judgement: prepared.judgement }];
    const steps: Step[] = [];
    // Only a description tells a query without rows from a command.
    if (prepared.returnsRows === undefined && !prepared.isDescribing) {
      const expected = { ...describing(prepared, portal), isOwn: true };
      steps.push({ kind: 'send', bytes: describePortal(serverName), expected });
    }
    const expected: Expected = { endsWith: 'CIs', prepared, portal };
    return [...steps, { kind: 'send', bytes: message('E', serverName, rest), expected }];
  }

  #closeStatement(name: string, bytes: Buffer): Step {
    const prepared = this.#statements.get(name);
    this.#statements.delete(name);
    if (prepared === undefined) return { kind: 'send', bytes, expected: { endsWith: '3' } };
    if (prepared.judgement?.kind === 'control') return { kind: 'control', reply: message('3') };
    const undo = (): unknown => this.#statements.set(name, prepared);
    return { kind: 'send', bytes: closeStatement(prepared.serverName), expected: { endsWith: '3', prepared, undo } };
  }

  #closePortal(name: string, bytes: Buffer): Step {
    const portal = this.#portals.get(name);
    this.#portals.delete(name);
    if (portal === undefined) return { kind: 'send', bytes, expected: { endsWith: '3' } };
    const { prepared, serverName } = portal;
    if (prepared.judgement?.kind === 'control') return { kind: 'control', reply: message('3') };
    const undo = (): unknown => this.#portals.set(name, portal);
    return { kind: 'send', bytes: closePortal(serverName), expected: { endsWith: '3', prepared, undo } };
  }

  #newName(): string {
    this.#names += 1;
    return `${this.#prefix}_${this.#names}`;
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
      case 'G':
      case 'W':
        lending.refuse(copyRefused);
        lending.send(message('f', copyRefused));
        return;
      case 'H':
      case 'c':
      case 'd':
        lending.refuse(copyRefused);
        return;
    }
    if (!(isEnd && head.isOwn === true)) this.#connection.write(bytes);
  }

  #answered(lending: Lending, unit: Unit, portal: Portal, rowCount: number | null): void {
    if (!portal.isAnswered) {
      lending.answer(portal.index ?? untold, rowCount, portal.prepared.returnsRows === true, unit.since);
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
    const told = portal?.index ?? (statement === undefined ? untold : lending.tell(this.#connection, statement.text));
    const at = position === undefined ? undefined : indexOfCodePoint(prepared?.text ?? '', Number(position) - 1);
    const place = at === undefined ? undefined : (written?.place(at) ?? at) - (statement?.offset ?? 0);
    lending.fail(
      typeof told === 'number' ? told : untold,
      cause,
      place === undefined || place < 0 ? undefined : codePointAt(statement?.text ?? '', place) + 1,
    );
  }
}

function describing(prepared: Prepared | undefined, portal: Portal | undefined): Expected {
  if (prepared === undefined) return { endsWith: 'Tn' };
  prepared.isDescribing = true;
  return { endsWith: 'Tn', prepared, portal, undo: () => (prepared.isDescribing = prepared.returnsRows !== undefined) };
}

/** The rest of a Bind. */
function readParameters(reader: BodyReader, typeIds: readonly number[]): readonly Parameter[] {
  const formats = reader.list(() => reader.int16());
  const values = reader.list(() => {
    const length = reader.int32();
    return length === -1 ? null : reader.bytes(length);
  });
  return values.map((bytes, index) => {
    const format = formats.length === 1 ? formats[0] : formats[index];
    return { bytes, isBinary: format === 1, typeId: typeIds[index] ?? 0 };
  });
}

function statementsOf(text: string): readonly Statement[] {
  return postgresqlDialect.split(text).statements;
}
