import { describe } from 'vitest';
import { describeHistory } from '../../conformance/history.js';
import { createUmzugProject } from '../../harness/sequelize.js';

describe('the history of Umzug 3', () => {
  describeHistory({
    name: 'umzug',
    create: (database, migrations) => createUmzugProject(database, migrations),
    holes: true,
    meanwhile: 'waits',
  });
});
