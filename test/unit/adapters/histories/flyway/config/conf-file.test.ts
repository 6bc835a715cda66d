import { describe, expect, it } from 'vitest';
import { parseConf } from '../../../../../../adapters/histories/flyway/config/conf-file.js';

function parse(text: string, environment: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(parseConf(text, environment));
}

// Every expectation was printed by Flyway 13.0.0's ConfigUtils.loadConfigurationFromString.
describe('flyway.conf', () => {
  it('takes a backslash literally, even before a line that sets a key', () => {
    expect(parse('flyway.url=jdbc:x\\\nflyway.user=a\\b\n')).toEqual({
      'flyway.url': 'jdbc:x\\',
      'flyway.user': 'a\\b',
    });
  });

  it('continues a value on lines that are no keys, and not over an empty line or the end', () => {
    expect(parse('flyway.locations=a,\\\n   b,\\\n c\nflyway.password = p w \\\n\nx:1\nflyway.q=v\\\n')).toEqual({
      'flyway.locations': 'a,b,c',
      'flyway.password': 'p w \\',
      'flyway.q': 'v\\',
      x: '1',
    });
  });

  it('replaces ${NAME} from the environment, missing ones by nothing, and leaves ${env.NAME} alone', () => {
    expect(
      parse('flyway.password=${PW1}-${PW2}-${NOPE}-${env.PW1}\r\n# c=\\\nflyway.z=1', { PW1: 'a\\bc$1', PW2: 'x y' }),
    ).toEqual({
      'flyway.password': 'abc$1-x y--${env.PW1}',
      'flyway.z': '1',
    });
  });

  it('splits keys from values as Java does and continues a comparison', () => {
    expect(parse('a b=c\\:d\nk=\\u0041\n\\\\=q\n! no=1\nempty\nflyway.p=a==b\\\nflyway.x == 3')).toEqual({
      '\\\\': 'q',
      a: 'b=c\\:d',
      empty: '',
      'flyway.p': 'a==bflyway.x == 3',
      k: '\\u0041',
    });
    expect(parse('flyway.p=a\\\nflyway.x != 3')).toEqual({ 'flyway.p': 'aflyway.x != 3' });
  });

  it('takes a comment after a lone backslash for a comment', () => {
    expect(parse('a==\r\n\\\n#!=\\n!=')).toEqual({ a: '=' });
  });

  it('takes an odd password as it stands, apart from blanks at its end', () => {
    expect(parse('flyway.password=100% @ "x y"=z#!  \n')).toEqual({ 'flyway.password': '100% @ "x y"=z#!' });
  });
});
