import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { findServerPrograms } from '../../../../../adapters/databases/mysql/server-programs.js';

test('says what to do where there is no server program', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fb-'));
  expect(() => findServerPrograms([folder], undefined, [])).toThrow(
    /neither mariadbd with mariadb-install-db nor mysqld/,
  );
  await fs.writeFile(path.join(folder, 'mysqld'), '');
  expect(findServerPrograms([folder], undefined, [])).toMatchObject({ product: 'MySQL', installer: undefined });
  await fs.writeFile(path.join(folder, 'mariadbd'), '');
  expect(() => findServerPrograms([folder], undefined, [])).toThrow(/mariadb-install-db/);
  await fs.writeFile(path.join(folder, 'mariadb-install-db'), '');
  expect(findServerPrograms([folder], undefined, [])).toMatchObject({ product: 'MariaDB' });
  await fs.rm(folder, { recursive: true });
});
