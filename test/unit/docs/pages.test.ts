import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { loadProjectConfig } from '../../../src/compose/open-project.js';
import { options } from '../../../src/config/options.js';
import { exitCodes } from '../../../src/errors/error.js';
import { commandNames, knownFlags } from '../../harness/cli-page.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const pages = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ...readdirSync(`${root}docs`).map((name) => `docs/${name}`),
  ...readdirSync(`${root}rollbacks`).map((name) => `rollbacks/${name}/README.md`),
];
const textOf = (page: string): string => readFileSync(`${root}${page}`, 'utf8');

/** Commands that are named as planned, in the README and on the page that says of each step what flyback does. */
const planned = ['generate', 'restore'];

const withoutBlocks = (text: string): string => text.replaceAll(/^```[^]*?^```$/gm, '');

/** Anchors as GitHub makes them from headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  return new Set(
    [...withoutBlocks(text).matchAll(/^#+ (.+)$/gm)].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function brokenLinks(page: string, text: string): readonly string[] {
  return [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
    const target = match[1] ?? '';
    if (/^https?:/.test(target)) return [];
    const [file = '', anchor] = target.split('#');
    const linked = file === '' ? page : path.posix.join(path.posix.dirname(page), file);
    if (!existsSync(`${root}${linked}`)) return [target];
    const known = file === '' ? text : textOf(linked);
    return anchor !== undefined && !anchorsOf(known).has(anchor) ? [target] : [];
  });
}

/** Command lines of flyback: lines of blocks and code spans that begin with it, up to a comment or redirection. */
function commandLines(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^```(?:sh|console|bash|text)?[^\n]*\n([^]*?)^```$/gm)].flatMap((match) =>
    (match[1] ?? '').split('\n'),
  );
  const spans = [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return [...blocks, ...spans].flatMap((line) => {
    const match = /^(?:\$ )?(?:npx )?(flyback [^#>|]*|--[a-z][^#>|]*)/.exec(line.trim());
    return match === null ? [] : [match[1] ?? ''];
  });
}

function unknownIn(text: string): readonly string[] {
  const flags = knownFlags();
  const commands = [...commandNames(), 'help'];
  return commandLines(text).flatMap((line) => {
    const wrong = [...line.matchAll(/(?<=^|\s)--[a-z][a-z-]*/g)]
      .map(([flag]) => flag)
      .filter((flag) => !flags.has(flag));
    const command = /^flyback ([a-z]+)\b/.exec(line)?.[1];
    return command === undefined || commands.includes(command) ? wrong : [...wrong, command];
  });
}

describe('every page', () => {
  it.each(pages)('links only to files and headings that exist: %s', (page) => {
    expect(brokenLinks(page, textOf(page))).toEqual([]);
  });

  it.each(pages)('names only options and commands that exist: %s', (page) => {
    expect(unknownIn(textOf(page)).filter((name) => !planned.includes(name) && name !== '--incident')).toEqual([]);
  });

  it('is reached from the README or from a page that the README links', () => {
    const linked = (page: string): readonly string[] =>
      [...textOf(page).matchAll(/\]\(([^)#\s]+)/g)].map((match) =>
        path.posix.join(path.posix.dirname(page), match[1] ?? ''),
      );
    const first = linked('README.md').filter((page) => pages.includes(page));
    const reached = new Set([...first, ...first.flatMap(linked)]);
    expect(pages.filter((page) => page.startsWith('docs/') && !reached.has(page))).toEqual([]);
  });
});

describe('the checks of pages', () => {
  it('see a link to nowhere, and a heading that is not there', () => {
    expect(
      brokenLinks('README.md', '# Here\n[a](docs/nothing.md) [b](#here) [c](#there) [d](docs/cli.md#nothing)'),
    ).toEqual(['docs/nothing.md', '#there', 'docs/cli.md#nothing']);
  });

  it('see an option and a command that are not there', () => {
    const text =
      'Say `flyback plan --too 6`, `--dry-runs` or:\n\n```sh\nnpx flyback undo --yes\nnpm test --no-flyback\n```\n';
    expect(unknownIn(text)).toEqual(['undo', '--too', '--dry-runs']);
  });
});

describe('README.md', () => {
  const readme = textOf('README.md');

  it('lists every command once, and the planned ones as planned', () => {
    const listed = [...readme.matchAll(/^\| `flyback ([a-z]+)`/gm)].map((match) => match[1] ?? '');
    expect(listed.toSorted()).toEqual(commandNames().toSorted());
    const sentence = /^Planned: (.+)$/m.exec(readme)?.[1] ?? '';
    expect([...sentence.matchAll(/`([a-z]+)`/g)].map((match) => match[1])).toEqual(planned);
    expect(planned.filter((name) => commandNames().includes(name))).toEqual([]);
  });

  it('fits on a few screens', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(150);
  });
});

it.each(['README.md', 'docs/cli.md'])('%s gives a meaning to every exit code', (page) => {
  const rows = [...textOf(page).matchAll(/^\| (\d) +\| \S/gm)].map((match) => Number(match[1]));
  expect(rows).toEqual(Object.values(exitCodes).toSorted());
});

it('names only variables that flyback knows', async () => {
  const names = pages
    .filter((page) => page !== 'CONTRIBUTING.md')
    .flatMap((page) => [...textOf(page).matchAll(/\bFLYBACK_[A-Z_]+\b/g)].map(([name]) => name));
  expect(names.length).toBeGreaterThan(20);
  const problems = async (environment: Readonly<Record<string, string>>): Promise<readonly string[]> =>
    (await loadProjectConfig({ folder: root, environment })).findings.map(({ subject }) => subject);
  const known = Object.values(options).map(({ variable }) => variable as string);
  const others = [...new Set(names)].filter((name) => !known.includes(name));
  expect(await problems(Object.fromEntries(others.map((name) => [name, 'x'])))).toEqual([]);
  expect(await problems({ FLYBACK_NOTHING: 'x' })).toEqual(['FLYBACK_NOTHING']);
});

describe('docs/configuration.md', () => {
  const block = /```toml\n([^]*?)```/.exec(textOf('docs/configuration.md'))?.[1] ?? '';
  const flatten = (document: object): readonly string[] =>
    Object.entries(document).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.keys(value).map((inner) => `${key}.${inner}`)
        : [key],
    );

  it('shows every key of flyback.toml', () => {
    const all = parse(block.replaceAll(/^# (?=\w+ = )/gm, ''));
    const known = Object.values(options).flatMap(({ key }) => key ?? []);
    expect(flatten(all).toSorted()).toEqual(known.toSorted());
  });

  it('shows the defaults: the file as it stands changes nothing', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'flyback-docs-'));
    try {
      const bare = await loadProjectConfig({ folder, environment: {} });
      writeFileSync(path.join(folder, 'flyback.toml'), block);
      const shown = await loadProjectConfig({ folder, environment: {} });
      const settings = ({ run, audit, record, rollbacksFolder, templatesFolder }: typeof bare): object => ({
        run,
        audit,
        record,
        rollbacksFolder,
        templatesFolder,
      });
      expect(settings(shown)).toEqual(settings(bare));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
