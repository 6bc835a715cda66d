import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Version } from '../../../../../src/history/version.js';
import { flywayVersions, isAccidentalVersion } from '../../../../../adapters/histories/flyway/versions.js';

function parse(text: string): Version {
  const version = flywayVersions.parse(text);
  if (version === undefined) throw new Error(`Refused: ${text}`);
  return version;
}

const compare = (a: string, b: string): number => Math.sign(flywayVersions.compare(parse(a), parse(b)));

const anyVersion = fc
  .array(
    fc
      .oneof(fc.nat({ max: 3 }), fc.bigInt({ min: 0n, max: 10n ** 30n }))
      .chain((part) => fc.nat({ max: 3 }).map((zeros) => '0'.repeat(zeros) + String(part))),
    { minLength: 1, maxLength: 5 },
  )
  .chain((parts) => fc.constantFrom('.', '_').map((separator) => parts.join(separator)))
  .filter((text) => flywayVersions.parse(text) !== undefined)
  .map(parse);

describe('the text of a version', () => {
  it.each([
    ['001', '001'],
    ['1_2', '1.2'],
    ['2013.01.15', '2013.01.15'],
    ['1.0', '1.0'],
    ['1234567890123456789012345678901234567890', '1234567890123456789012345678901234567890'],
  ])('keeps %s as %s, the way Flyway stores it', (text, stored) => {
    expect(parse(text).text).toBe(stored);
  });

  it.each(['1a', '1..2', '1.', '.1', '', ' 1', '1 ', '1__2', '-', '_1', 'v1'])('is refused when it is "%s"', (text) => {
    expect(flywayVersions.parse(text)).toBeUndefined();
  });

  it.each(['-5', '+5', '٥', '1.-2'])('is refused when Flyway accepts "%s" only by accident', (text) => {
    expect(flywayVersions.parse(text)).toBeUndefined();
  });

  it.each(['current', 'LATEST', 'Next', '9223372036854775807'])('is refused when it is the target word %s', (text) => {
    expect(flywayVersions.parse(text)).toBeUndefined();
  });

  it('tells accidental versions from text that Flyway refuses', () => {
    expect(['-5', '+5', '٥'].map(isAccidentalVersion)).toEqual([true, true, true]);
    expect(['1a', '', '1..2', '5', '1.2'].map(isAccidentalVersion)).toEqual([false, false, false, false, false]);
  });
});

describe('the order of versions', () => {
  it.each([
    ['001', '1'],
    ['001', '1.0'],
    ['1_2', '1.02'],
    ['2013.01.15', '2013.1.15'],
    ['1.1', '01_01'],
    ['1.1', '1.1.0'],
    ['0', '0.0'],
  ])('takes %s and %s for one version', (a, b) => {
    expect(compare(a, b)).toBe(0);
    expect(parse(a).key).toBe(parse(b).key);
  });

  it.each([
    ['1.9', '1.10'],
    ['2', '10'],
    ['1', '1.0.1'],
    ['9223372036854775806', '9223372036854775808'],
    ['999999999999999999999999999999999999999', '1000000000000000000000000000000000000000'],
    ['1.2', '2'],
  ])('puts %s before %s', (a, b) => {
    expect(compare(a, b)).toBe(-1);
    expect(compare(b, a)).toBe(1);
  });

  it('is total: antisymmetric, transitive, and zero exactly for equal keys', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
        const order = (x: Version, y: Version): number => Math.sign(flywayVersions.compare(x, y));
        expect(order(a, b) + order(b, a)).toBe(0);
        expect(order(a, b) === 0).toBe(a.key === b.key);
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('agrees with comparing the parts as whole numbers', () => {
    fc.assert(
      fc.property(anyVersion, anyVersion, (a, b) => {
        const parts = ({ text }: Version): bigint[] => text.split('.').map(BigInt);
        const [left, right] = [parts(a), parts(b)];
        let expected = 0;
        for (let index = 0; expected === 0 && index < Math.max(left.length, right.length); index++) {
          const [x, y] = [left[index] ?? 0n, right[index] ?? 0n];
          expected = x < y ? -1 : x > y ? 1 : 0;
        }
        expect(Math.sign(flywayVersions.compare(a, b))).toBe(expected);
      }),
    );
  });

  it('reads its own key and text back as the same version', () => {
    fc.assert(
      fc.property(anyVersion, (version) => {
        expect(parse(version.key).key).toBe(version.key);
        expect(parse(version.text)).toEqual(version);
      }),
    );
  });
});
