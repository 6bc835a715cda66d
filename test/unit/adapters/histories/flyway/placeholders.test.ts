import { describe, expect, it } from 'vitest';
import type { PlaceholderContext } from '../../../../../src/adapter/history.js';
import type { FlywaySettings } from '../../../../../adapters/histories/flyway/settings.js';
import { FlybackError } from '../../../../../src/errors/error.js';
import { replacePlaceholders } from '../../../../../adapters/histories/flyway/placeholders.js';
import { flywaySettings } from '../../../../harness/history-values.js';

const context: PlaceholderContext = {
  file: '/project/rollbacks/R1__x.sql',
  defaultSchema: 'app',
  user: 'anna',
  databaseName: 'shop',
  table: 'flyway_schema_history',
  timestamp: '2026-01-02 03:04:05',
};

function replace(text: string, changes: Partial<FlywaySettings> = {}): string {
  return replacePlaceholders(
    text,
    flywaySettings({ placeholders: { Name: 'orders', empty: '' }, ...changes }),
    context,
  );
}

function refusal(text: string): FlybackError {
  try {
    replace(text);
  } catch (error) {
    if (error instanceof FlybackError) return error;
  }
  throw new Error(`Not refused: ${text}`);
}

describe('placeholders in a rollback script', () => {
  it('are replaced whatever the case of their names, also in comments and quotes', () => {
    expect(replace("-- ${NAME}\nDROP TABLE ${name}; SELECT '${Name}'")).toBe(
      "-- orders\nDROP TABLE orders; SELECT 'orders'",
    );
  });

  it.each([
    ['${flyway:defaultSchema}', 'app'],
    ['${flyway:user}', 'anna'],
    ['${flyway:database}', 'shop'],
    ['${flyway:timestamp}', '2026-01-02 03:04:05'],
    ['${flyway:filename}', 'R1__x.sql'],
    ['${flyway:workingDirectory}', '/project'],
    ['${flyway:table}', 'flyway_schema_history'],
    ['${flyway:environment}', 'default'],
    ['${FLYWAY:TABLE}', 'flyway_schema_history'],
  ])('%s stands for %s', (text, expected) => {
    expect(replace(text)).toBe(expected);
  });

  it('are not looked for in what they are replaced by', () => {
    expect(replace('${a}', { placeholders: { a: '${b}' } })).toBe('${b}');
  });

  it('may be empty, and stand side by side', () => {
    expect(replace('[${empty}${name}${empty}]')).toBe('[orders]');
  });

  it('are left alone where a dollar sign stands before them, for Flyway reads on without looking back', () => {
    expect(replace('$${name}')).toBe('$${name}');
    expect(replace('$$${name}$$')).toBe('$$orders$$');
  });

  it('follow the prefix, suffix and separator of the project', () => {
    const changes = { placeholderPrefix: '<<', placeholderSuffix: '>>', placeholderSeparator: '.' };
    expect(replace('<<name>> ${name} <<flyway.user>>', changes)).toBe('orders ${name} anna');
  });

  it('are left alone when replacement is switched off', () => {
    expect(replace('${unknown}', { placeholderReplacement: false })).toBe('${unknown}');
  });

  it('are refused without a value, with line, column and text of the line', () => {
    const error = refusal('SELECT 1;\r\n-- é😀 ${other} x\nSELECT 2;');
    expect(error.code).toBe('script-refused');
    expect(error.message).toContain('${other}');
    expect(error.hint).toContain('flyway.placeholders.other');
    expect(error.location).toEqual({ file: context.file, line: 2, column: 7, lineText: '-- é😀 ${other} x' });
  });

  it('are refused when they have no end', () => {
    const error = refusal('SELECT ${name');
    expect(error.message).toContain('no end');
    expect(error.location).toMatchObject({ line: 1, column: 8 });
  });
});
