import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/config/config.js';
import { redact } from '../../../src/config/redact.js';

describe('redact', () => {
  it('leaves a text without secrets alone', () => {
    const text = 'FATAL: password authentication failed for user "app" at postgresql://app@h:5432/db?sslmode=require';
    expect(redact(text, [])).toBe(text);
    expect(redact(text, [new Secret('geheim'), new Secret('')])).toBe(text);
  });

  it.each([
    ['plain', 'x p@ss w% y'],
    ['percent-encoded', 'x p%40ss%20w%25 y'],
    ['percent-encoded in lower case and as a form', 'x p%40ss+w%25 y'],
    ['half encoded', 'x p@ss%20w% y'],
  ])('replaces a secret that is %s', (_, text) => {
    expect(redact(text, [new Secret('p@ss w%')])).toBe('x *** y');
  });

  it('replaces a secret as SQL and JSON write it', () => {
    expect(redact(`PASSWORD 'it''s' and {"a":"q\\"b\\\\c"}`, [new Secret("it's"), new Secret('q"b\\c')])).toBe(
      `PASSWORD '***' and {"a":"***"}`,
    );
  });

  it('replaces the longer of two secrets first', () => {
    expect(redact('secretmore', [new Secret('secret'), new Secret('secretmore')])).toBe('***');
  });

  it('replaces a very short secret where it stands alone, not inside words', () => {
    expect(redact('a cat sat: a', [new Secret('a')])).toBe('*** cat sat: ***');
  });

  it.each([
    ['postgres://app:unknown@h/db', 'postgres://app:***@h/db'],
    ['postgres://app:un@kno/wn@h/db', 'postgres://app:***@h/db'],
    ['jdbc:postgresql://h/db?user=a&password=unknown&ssl=true', 'jdbc:postgresql://h/db?user=a&password=***&ssl=true'],
    ['sslpassword=unknown PGPASSWORD=unknown', 'sslpassword=*** PGPASSWORD=***'],
    ["host=h password='un known' user=a", 'host=h password=*** user=a'],
    ['flyway.password = unknown', 'flyway.password = ***'],
    ['{"apiToken":"unknown","b":1}', '{"apiToken":"***","b":1}'],
  ])('hides what stands where passwords stand: %s', (text, expected) => {
    expect(redact(text, [])).toBe(expected);
  });

  it('never lets a secret through, however it is encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 4 }), (value) => {
        const secrets = [new Secret(value)];
        const forms = [
          value,
          encodeURIComponent(value),
          encodeURIComponent(value).toLowerCase(),
          new URLSearchParams({ v: value }).toString().slice(2),
          JSON.stringify(value).slice(1, -1),
        ];
        // Lower-casing a percent-encoded text changes letters of the secret itself too; only codes may differ in case.
        const tested = forms.filter((form, index) => index !== 2 || value === value.toLowerCase());
        for (const form of tested) expect(redact(`<<${form}>>`, secrets)).toBe('<<***>>');
      }),
    );
  });
});
