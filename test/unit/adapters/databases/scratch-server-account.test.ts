import { expect, test } from 'vitest';
import { chooseAccount } from '../../../../adapters/databases/scratch-server/account.js';

const root = 'root:x:0:0:root:/root:/bin/bash';
const daemon = 'daemon:x:1:1::/:/usr/sbin/nologin';
const nobody = 'nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin';
const postgres = 'postgres:x:101:104::/var/lib/postgresql:/bin/bash';

test('the postgres account is taken before nobody, wherever they stand in the list', () => {
  expect(chooseAccount([root, nobody, daemon, postgres, ''].join('\n'), 'postgres')).toEqual({ uid: 101, gid: 104 });
});

test('nobody is taken where there is no postgres', () => {
  expect(chooseAccount([root, daemon, nobody].join('\n'), 'postgres')).toEqual({ uid: 65534, gid: 65533 });
});

test('any account but root is taken where there is neither', () => {
  expect(chooseAccount([root, 'toor:x:0:0::/:/bin/sh', daemon].join('\n'), 'postgres')).toEqual({ uid: 1, gid: 1 });
});

test('an account called postgres that is root under another name is passed over', () => {
  expect(chooseAccount([root, 'postgres:x:0:0::/:/bin/sh', nobody].join('\n'), 'postgres')).toEqual({
    uid: 65534,
    gid: 65533,
  });
});

test('without any list the customary number of nobody is taken', () => {
  expect(chooseAccount('', 'postgres')).toEqual({ uid: 65534, gid: 65534 });
});
