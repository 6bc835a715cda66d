import { postgresqlDialect } from '../dialect.js';
import { judge } from './judge.js';
import type { Lending } from './lending.js';
import { errorFields, errorResponse, query, readyForQuery, rowCountOf, serverError } from './messages.js';
import { codePointAt, indexOfCodePoint } from './positions.js';
import type { ProgramConnection } from './program-connection.js';
import { untold } from './verdict.js';

/** A text of one or more statements, in one message (PostgreSQL manual, "Simple Query"). */
export async function runSimpleQuery(connection: ProgramConnection, lending: Lending, text: string): Promise<void> {
  const endTurn = await lending.turn(connection);
  try {
    if (connection.isGone || lending.lost !== undefined) return;
    await run(connection, lending, text);
  } finally {
    endTurn();
  }
}

async function run(connection: ProgramConnection, lending: Lending, text: string): Promise<void> {
  const { statements } = postgresqlDialect.split(text);
  const judgements = statements.map(judge);
  const [first] = judgements;
  if (first?.kind === 'control' && judgements.length === 1) {
    const answer = await lending.control(connection, first.control);
    connection.write(answer, readyForQuery(lending.statusFor(connection)));
    return;
  }
  const refuse = (reason: string): void => {
    lending.verdict.refuse(reason);
    const status = lending.hasBegun(connection) ? 'E' : 'I';
    connection.write(errorResponse('ERROR', '0A000', reason), readyForQuery(status));
  };
  if (lending.verdict.refusal !== undefined) {
    refuse(lending.verdict.refusal);
    return;
  }
  const indexes: number[] = [];
  for (const [at, judgement] of judgements.entries()) {
    if (judgement.kind === 'refused') {
      refuse(judgement.reason);
      return;
    }
    if (judgement.kind === 'statement') continue;
    if (judgements.length > 1) {
      refuse(
        `The program sent ${statements[at]?.text ?? ''} together with other statements: what begins or ends its transaction must come by itself.`,
      );
      return;
    }
    lending.verdict.tookBack();
    indexes.push(untold);
  }
  if (indexes.length === 0) {
    for (const statement of statements) {
      const told = lending.verdict.tell(connection, statement.text);
      if (typeof told !== 'number') {
        refuse(told.reason);
        return;
      }
      indexes.push(told);
    }
  }
  let answered = 0;
  let returnsRows = false;
  let since = performance.now();
  const failed = (cause: Error, position: string | undefined): void => {
    const place = position === undefined ? undefined : indexOfCodePoint(text, Number(position) - 1);
    const pointed = place === undefined ? -1 : statements.findLastIndex(({ offset }) => offset <= place);
    const at = pointed < answered ? Math.min(answered, indexes.length - 1) : pointed;
    const offset = statements[at]?.offset ?? 0;
    const isWithin = place !== undefined && pointed === at;
    lending.verdict.fail(
      indexes[at] ?? untold,
      cause,
      isWithin ? codePointAt(text.slice(offset), place - offset) + 1 : undefined,
    );
  };
  await lending.exchange(query(text), ({ type, body, bytes }) => {
    switch (type) {
      case 'Z':
        connection.write(readyForQuery(lending.statusFor(connection)));
        return;
      case 'T':
        returnsRows = true;
        break;
      case 'C':
        lending.verdict.answer(indexes[answered] ?? untold, rowCountOf(body), returnsRows, since);
        answered += 1;
        returnsRows = false;
        since = performance.now();
        break;
      case 'E':
        failed(serverError(body), errorFields(body)['P']);
        break;
      default:
        if (lending.refusesCopy(type)) return;
    }
    connection.write(bytes);
  });
  if (lending.lost !== undefined) failed(lending.lost, undefined);
}
