import { describe, expect, it } from 'vitest';
import { stubFileName } from '../../../src/stub/stub-file.js';

describe('stubFileName', () => {
  it.each([
    ['1', 'create users', 'R1__create_users.sql'],
    ['001', 'Add Missing FK', 'R001__Add_Missing_FK.sql'],
    ['2025.11.22.001', 'x', 'R2025.11.22.001__x.sql'],
    ['7', '  a -- b/c\\d:e  ', 'R7__a_b_c_d_e.sql'],
    ['7', '../../etc/passwd', 'R7__etc_passwd.sql'],
    ['7', 'Größe ändern', 'R7__Größe_ändern.sql'],
    ['7', '', 'R7__rollback.sql'],
    ['7', '!!!', 'R7__rollback.sql'],
  ])('names version %s "%s" as %s', (version, description, expected) => {
    expect(stubFileName(version, description)).toBe(expected);
  });

  it('stays short enough for a file system and cuts no character in half', () => {
    const name = stubFileName('1', '漢'.repeat(200));
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(240);
    expect(name).toMatch(/^R1__漢+\.sql$/);
  });
});
