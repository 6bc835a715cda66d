import type { Statement } from '../../../../src/scripts/statement.js';
import { postgresqlDialect } from '../dialect.js';
import { judge, type Judgement } from './judge.js';
import { repeatedParameters, writeLiterals, type Parameter, type WrittenStatement } from './literals.js';
import {
  BodyReader,
  closePortal,
  closeStatement,
  describePortal,
  describeStatement,
  message,
  type Frame,
} from './messages.js';

/** What Parse made. */
export interface Prepared {
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
export interface Portal {
  readonly prepared: Prepared;
  readonly serverName: string;
  readonly written: WrittenStatement;
  /** Once it was executed. */
  index: number | undefined;
  isAnswered: boolean;
}

/** What the server will answer to a message that it was sent. */
export interface Expected {
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

/** What one message comes to. */
export type Step =
  | { readonly kind: 'send'; readonly bytes: Buffer; readonly expected: Expected }
  | { readonly kind: 'control'; readonly reply: Buffer }
  | { readonly kind: 'control'; readonly judgement: Judgement & { readonly kind: 'control' } };

const nothing: Judgement = { kind: 'statement' };

/**
 * The prepared statements and portals of one connection. Their names are each connection's own, but on the server they are
 * all in one session: there they have names of the door's.
 */
export class PreparedStatements {
  readonly #prefix: string;
  readonly #statements = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  #names = 0;
  #hasParsedUnnamed = false;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Others may have used the session meanwhile. */
  beginUnit(): void {
    this.#hasParsedUnnamed = false;
  }

  /** Takes all portals off the list; those of them that are on the server. */
  takePortals(): readonly Portal[] {
    const open = [...this.#portals.values()].filter(({ prepared }) => prepared.judgement?.kind !== 'control');
    this.#portals.clear();
    return open;
  }

  /** Of the statements that stay on the server. */
  get serverNames(): readonly string[] {
    return [...this.#statements.values()]
      .filter(({ serverName, judgement }) => serverName !== '' && judgement?.kind !== 'control')
      .map(({ serverName }) => serverName);
  }

  /**
   * The statement of a Bind whose values cannot be written as literals before its types are known: in binary form, or in two
   * places, where the type of one place is that of the other too.
   */
  withUnclearTypes({ body }: Frame): Prepared | undefined {
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

  translate({ type, body, bytes }: Frame): readonly Step[] {
    const reader = new BodyReader(body);
    switch (type) {
      case 'P':
        return [this.#parse(reader.text(), reader.text(), reader)];
      case 'B':
        return this.#bind(reader.text(), reader.text(), reader);
      case 'D':
        return reader.char() === 'S'
          ? this.#describeStatement(reader.text(), bytes)
          : this.#describePortal(reader.text(), bytes);
      case 'E':
        return this.#execute(reader.text(), reader.rest(), bytes);
      default:
        return [
          reader.char() === 'S' ? this.#closeStatement(reader.text(), bytes) : this.#closePortal(reader.text(), bytes),
        ];
    }
  }

  #parse(name: string, text: string, reader: BodyReader): Step {
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
    if (name === '') this.#hasParsedUnnamed = true;
    if (judgement?.kind === 'control') return { kind: 'control', reply: message('1') };
    const undo = (): void => {
      if (before === undefined) this.#statements.delete(name);
      else this.#statements.set(name, before);
    };
    return { kind: 'send', bytes: parse, expected: { endsWith: '1', prepared, undo } };
  }

  /** The unnamed statement is the server's latest, whosever it is: behind the turns of others it is made once more. */
  remade(prepared: Prepared | undefined): readonly Step[] {
    if (prepared?.serverName !== '' || this.#hasParsedUnnamed || prepared.judgement?.kind === 'control') return [];
    this.#hasParsedUnnamed = true;
    return [{ kind: 'send', bytes: prepared.parse, expected: { endsWith: '1', isOwn: true, prepared } }];
  }

  #bind(portalName: string, statementName: string, reader: BodyReader): readonly Step[] {
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
    return [...this.remade(prepared), { kind: 'send', bytes, expected: { endsWith: '2', prepared, portal, undo } }];
  }

  #describeStatement(name: string, bytes: Buffer): readonly Step[] {
    const prepared = this.#statements.get(name);
    if (prepared?.judgement?.kind === 'control') {
      return [{ kind: 'control', reply: Buffer.concat([message('t', Buffer.alloc(2)), message('n')]) }];
    }
    const renamed = prepared === undefined ? bytes : describeStatement(prepared.serverName);
    return [...this.remade(prepared), { kind: 'send', bytes: renamed, expected: describing(prepared, undefined) }];
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
}

export function describing(prepared: Prepared | undefined, portal: Portal | undefined): Expected {
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

export function statementsOf(text: string): readonly Statement[] {
  return postgresqlDialect.split(text).statements;
}
