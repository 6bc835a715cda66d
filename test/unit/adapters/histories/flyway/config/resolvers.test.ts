import { describe, expect, it } from 'vitest';
import { resolveValue } from '../../../../../../adapters/histories/flyway/config/resolvers.js';

const context = { environment: { PW1: 'a\\bc$1' }, placeholders: new Map([['team', 'core']]) };

describe('references in flyway.toml', () => {
  // Flyway 13.0.0's FluentConfiguration.getPassword() for the same text and variable.
  it.each([
    ['  pw ', 'pw'],
    ['${env.PW1}', 'a\\bc$1'],
    ['!{${env.PW1}}', '${env.PW1}'],
    ['!{  kept }', '  kept '],
    ['x$${env.PW1}y', 'x${env.PW1}y'],
    ['a%b@c d', 'a%b@c d'],
    ['${env.PW1:d}', '1'],
    ['${env.PW1:aD}', 'abc1'],
    ['${NAME}', '${NAME}'],
    ['${ENV.PW1}', 'a\\bc$1'],
  ])('%s becomes %s', (written, expected) => {
    expect(resolveValue(written, 'password', context)).toEqual({ text: expected });
  });

  it('reads a placeholder', () => {
    expect(resolveValue('db-${placeholder.team}', 'url', context)).toEqual({ text: 'db-core' });
  });

  it.each([
    '${vault.db}',
    '${dapr.x}',
    '${googlesecrets.x}',
    '${azureKeyVault.x}',
    '${localSecret.x}',
    '${git.branch}',
    '${entra.token}',
  ])('refuses %s and names the key', (written) => {
    expect(resolveValue(written, 'flyway.toml environments.prod.password', context)).toMatchObject({
      code: 'config-resolver-unsupported',
      message: expect.stringContaining('flyway.toml environments.prod.password') as string,
      hint: expect.stringContaining('--password-env') as string,
    });
  });

  it.each(['${env.MISSING}', '${placeholder.missing}', '${env.${env.PW1}}'])('refuses %s', (written) => {
    expect(resolveValue(written, 'key', context)).toMatchObject({ code: 'config-unresolved' });
  });
});
