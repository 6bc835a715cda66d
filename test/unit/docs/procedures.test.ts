import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { options } from '../../../src/config/options.js';

const rootFolder = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${rootFolder}docs/procedures.md`, 'utf8');
const program = readFileSync(`${rootFolder}src/cli/program.ts`, 'utf8');

/** Steps in each of the five procedures. */
const stepCounts = [26, 27, 22, 22, 15];
/** Commands that the page may promise, and that do not exist. */
const planned = ['generate', 'restore'];

interface Line {
  readonly number: string;
  readonly answer: string;
}

function readLines(text: string): readonly Line[] {
  return text.split('\n').flatMap((row) => {
    const match = /^\| (\d\.\d+) +\| (?:.*?\S) +\| (.*?) *\|$/.exec(row);
    return match === null ? [] : [{ number: match[1] ?? '', answer: match[2] ?? '' }];
  });
}

const lines = readLines(page);
const commands = [...program.matchAll(/\.command\('([a-z]+)'\)/g)].map((match) => match[1] ?? '');
const flags = [
  ...[...program.matchAll(/(--[a-z-]+)/g)].map((match) => match[1] ?? ''),
  ...Object.values(options).map(({ flag }) => flag),
];

/** Sentences that begin with a status, each with that status. */
function claims(answer: string): readonly { readonly status: string; readonly text: string }[] {
  return answer
    .split(/(?=\*\*(?:yes|partly|planned|no)\*\*)/)
    .map((text) => ({ status: /^\*\*(\w+)\*\*/.exec(text)?.[1] ?? '', text }));
}

/** Commands in code spans: the first word of `rollback --all`. */
function namedCommands(text: string): readonly string[] {
  return [...text.matchAll(/`([a-z]+)(?: --?[a-z][^`]*)?`/g)].map((match) => match[1] ?? '');
}

describe('docs/procedures.md', () => {
  it('has every step of every procedure, once and in order', () => {
    const expected = stepCounts.flatMap((count, procedure) =>
      Array.from({ length: count }, (_, index) => `${procedure}.${index + 1}`),
    );
    expect(lines.map(({ number }) => number)).toEqual(expected);
  });

  it('begins every answer with yes, partly, planned or no, and gives a reason or a command', () => {
    const without = lines.filter(({ answer }) => !/^\*\*(?:yes|partly|planned|no)\*\* — \S.{5,}/.test(answer));
    expect(without).toEqual([]);
  });

  it('promises only planned commands as planned, and never as done', () => {
    const wrong = lines.flatMap(({ number, answer }) =>
      claims(answer).flatMap(({ status, text }) => {
        const named = namedCommands(text).filter((name) => planned.includes(name));
        if (status === 'planned')
          return named.length === 0 && !/`(?:log|rollback)[ `]|without a transaction/.test(text) ? [number] : [];
        return named.length > 0 ? [number] : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('names only commands, flags and files that exist', () => {
    const spans = [...page.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
    const isOurs = (span: string): boolean => [...commands, ...planned].includes(span.split(' ')[0] ?? '');
    const unknownFlags = spans
      .filter(isOurs)
      .filter((span) => span !== 'log --incident')
      .flatMap((span) => [...span.matchAll(/--[a-z-]+/g)].map(([flag]) => flag))
      .filter((flag) => !flags.includes(flag));
    expect(unknownFlags).toEqual([]);
    expect(planned.filter((name) => commands.includes(name))).toEqual([]);
    const files = spans.filter((span) => span.startsWith('rollbacks/'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(`${rootFolder}${file}`))).toEqual([]);
  });
});
