import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlybackError } from '../errors/error.js';

/** Each template file with the placeholders that it may use, written {{name}}. */
export const templateFields = {
  'header.sql': [
    'version',
    'description',
    'migration',
    'historyVersion',
    'risk',
    'action',
    'dataLoss',
    'changes',
    'checksum',
  ],
  'statement.sql': ['line', 'statement', 'hint'],
  'nothing.sql': ['migration'],
  'verify-table.sql': ['name', 'schema', 'table', 'count'],
  'verify-column.sql': ['name', 'schema', 'table', 'column', 'count'],
  'verify-other.sql': ['version'],
} as const satisfies Record<string, readonly string[]>;
export type TemplateName = keyof typeof templateFields;

/** Text of every template. */
export type StubTemplates = Readonly<Record<TemplateName, string>>;

const names = Object.keys(templateFields) as readonly TemplateName[];

/**
 * Reads the stub templates: a file of the user's own folder where it has one of that name, else flyback's. Throws
 * FlybackError file-unreadable, or config-invalid for a placeholder that the template cannot use.
 */
export async function loadTemplates(userFolder?: string): Promise<StubTemplates> {
  const builtIn = await findBuiltIn();
  const entries = await Promise.all(
    names.map(async (name) => {
      const own = userFolder === undefined ? undefined : await readIfThere(path.join(userFolder, name));
      if (own !== undefined && userFolder !== undefined) return [name, checked(own, name, path.join(userFolder, name))];
      const file = path.join(builtIn, name);
      return [name, checked((await readIfThere(file)) ?? '', name, file)];
    }),
  );
  return Object.fromEntries(entries) as StubTemplates;
}

function checked(text: string, name: TemplateName, file: string): string {
  const known: readonly string[] = templateFields[name];
  for (const [, field = ''] of text.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)) {
    if (known.includes(field)) continue;
    throw new FlybackError('config-invalid', `The stub template ${file} uses {{${field}}}, which it cannot have.`, {
      hint: `Use only ${known.map((item) => `{{${item}}}`).join(', ')}.`,
    });
  }
  return text;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new FlybackError('file-unreadable', `The stub template ${file} cannot be read (${code ?? 'unknown'}).`, {
      hint: 'Make it a readable text file, or remove it to use the template that comes with flyback.',
      cause: error,
    });
  }
}

/** The package's own folder lies above this module, at a depth that depends on whether it was bundled. */
async function findBuiltIn(): Promise<string> {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (let depth = 0; depth < 5; depth++) {
    const candidate = path.join(folder, 'templates');
    if ((await readIfThere(path.join(candidate, 'header.sql'))) !== undefined) return candidate;
    folder = path.dirname(folder);
  }
  throw new FlybackError('internal', 'The stub templates that come with flyback are missing from its installation.', {
    hint: 'Install flyback again.',
  });
}
