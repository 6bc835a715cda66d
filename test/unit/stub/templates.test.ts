import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadTemplates } from '../../../src/stub/templates.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'flyback-templates-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('loadTemplates', () => {
  it('reads the templates that come with flyback', async () => {
    const templates = await loadTemplates();
    expect(templates['header.sql']).toContain('-- flyback: stub');
    expect(templates['verify-table.sql']).toContain('-- expect:');
  });

  it('takes a file of the same name from the user, and flyback’s own for the others', async () => {
    await writeFile(path.join(folder, 'header.sql'), '-- House rules for {{ version }}\n');
    const own = await loadTemplates();
    const mixed = await loadTemplates(folder);
    expect(mixed['header.sql']).toBe('-- House rules for {{ version }}\n');
    expect(mixed['statement.sql']).toBe(own['statement.sql']);
  });

  it('does without a folder that is not there', async () => {
    expect(await loadTemplates(path.join(folder, 'none'))).toEqual(await loadTemplates());
  });

  it('refuses a placeholder that the template cannot have, and names those it can', async () => {
    await writeFile(path.join(folder, 'statement.sql'), '-- {{reason}}\n');
    await expect(loadTemplates(folder)).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('{{reason}}') as string,
      hint: expect.stringContaining('{{hint}}') as string,
    });
  });

  it('says which template it cannot read', async () => {
    await mkdir(path.join(folder, 'header.sql'));
    await expect(loadTemplates(folder)).rejects.toMatchObject({
      code: 'file-unreadable',
      message: expect.stringContaining('header.sql') as string,
    });
  });
});
