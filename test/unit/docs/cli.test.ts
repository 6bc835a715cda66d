import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { makeCliPage } from '../../harness/cli-page.js';

const page = fileURLToPath(new URL('../../../docs/cli.md', import.meta.url));

it('docs/cli.md is what npm run docs:cli would write', async () => {
  await expect(await makeCliPage(page)).toMatchFileSnapshot(page);
});
