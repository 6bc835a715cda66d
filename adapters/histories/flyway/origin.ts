import type { HistoryOrigin } from '../../../src/adapter/history.js';
import type { History } from '../../../src/history/history.js';

/**
 * Types that only some versions of Flyway write (MigrationType and, from 9 on, CoreMigrationType and
 * BaselineMigrationType, in the tags from 5.2 to 13.0).
 */
const telling: readonly { readonly types: RegExp; readonly writers: string }[] = [
  { types: /^SPRING_JDBC$/, writers: 'up to 6' },
  { types: /^DELETE$/, writers: 'from 7.0 on' },
  { types: /_STATE_SCRIPT$/, writers: 'from 7.13 to 7.15' },
  { types: /^SCRIPT_BASELINE$/, writers: 'of the 8 line' },
  { types: /^(?:SQL|JDBC)_BASELINE$/, writers: 'from 8.0 on' },
];

/** Which Flyway the rows fit. It leaves no mark of its version; only some types of rows do. Pure. */
export function origin(history: History): HistoryOrigin {
  const types = [...new Set(history.rows.map(({ entry }) => entry.type))].toSorted();
  const undo = types.filter((type) => type.startsWith('UNDO_'));
  if (undo.length > 0) {
    return {
      isDoubtful: true,
      words: `Rows of type ${undo.join(', ')} come from a paid edition of Flyway; the open-source one cannot read them since 9.8.`,
      hint: 'Stay with the edition that wrote them, or remove each undo row together with the row that it took back.',
    };
  }
  if (types.length === 0) return { isDoubtful: false, words: 'It has no rows yet.', hint: undefined };
  const notes = types.flatMap((type) =>
    telling.filter((entry) => entry.types.test(type)).map(({ writers }) => `${type} by a Flyway ${writers}`),
  );
  return {
    isDoubtful: false,
    words:
      notes.length === 0
        ? `Rows of type ${types.join(', ')}: every Flyway writes these, in the same columns from 7.15 to 13.`
        : `Rows written as ${notes.join(', ')}; the columns are the same from 7.15 to 13.`,
    hint: undefined,
  };
}
