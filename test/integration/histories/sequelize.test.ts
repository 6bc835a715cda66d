import { describe } from 'vitest';
import { describeHistory } from '../../conformance/history.js';
import { createSequelizeProject } from '../../harness/sequelize.js';

describe('the history of sequelize-cli', () => {
  describeHistory({
    name: 'sequelize',
    create: (database, migrations) => createSequelizeProject(database, migrations),
    holes: true,
    meanwhile: 'waits',
  });
});
