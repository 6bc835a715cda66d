import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readConnection } from '../../../../../adapters/databases/postgresql/jdbc-url.js';
import { refusedKeys, tuningKeys } from '../../../../../adapters/databases/postgresql/connection-keys.js';
import { type ConnectionSettings, Secret } from '../../../../../src/config/config.js';
import type { ConnectionReading, ConnectionRequest } from '../../../../../src/config/readers.js';

function read(url: string, beside: Partial<ConnectionRequest> = {}): ConnectionReading {
  return readConnection({
    url: { value: url, source: 'FLYWAY_URL' },
    user: { value: 'cfg', source: 'FLYWAY_USER' },
    password: { value: new Secret('cfgpw'), source: 'FLYWAY_PASSWORD' },
    properties: {},
    initSql: undefined,
    systemUser: 'me',
    baseFolder: '/project',
    ...beside,
  });
}

function settingsOf(reading: ConnectionReading): ConnectionSettings {
  expect(reading.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  if (reading.settings === undefined) throw new Error('no settings');
  return reading.settings;
}

function refusalOf(reading: ConnectionReading): string {
  expect(reading.settings).toBeUndefined();
  const error = reading.findings.find(({ severity }) => severity === 'error');
  expect(error?.hint).toBeTruthy();
  return error?.message ?? '';
}

describe('the address in a JDBC URL', () => {
  // Database, hosts and ports as pgjdbc 42.7.7's Driver.parseURL gives them for user "cfg".
  it.each([
    ['jdbc:postgresql:db', 'db', [['localhost', 5432]]],
    ['jdbc:postgresql:', 'cfg', [['localhost', 5432]]],
    ['jdbc:postgresql://', 'cfg', [['localhost', 5432]]],
    ['jdbc:postgresql:///', 'cfg', [['localhost', 5432]]],
    ['jdbc:postgresql:///db', 'db', [['localhost', 5432]]],
    ['jdbc:postgresql://h/', 'cfg', [['h', 5432]]],
    ['jdbc:postgresql://h:5433/db', 'db', [['h', 5433]]],
    ['jdbc:postgresql://[::1]/db', 'db', [['::1', 5432]]],
    ['jdbc:postgresql://[fe80::1]:5433/db', 'db', [['fe80::1', 5433]]],
    [
      'jdbc:postgresql://a:1,b,:7/db',
      'db',
      [
        ['a', 1],
        ['b', 5432],
        ['localhost', 7],
      ],
    ],
    ['jdbc:postgresql://h/db?host=other&port=1&dbname=zz', 'zz', [['other', 1]]],
    ['jdbc:postgresql://h/a+b%20c', 'a b c', [['h', 5432]]],
  ] as const)('%s is database %s', (url, databaseName, hosts) => {
    const settings = settingsOf(read(url));
    expect(settings.databaseName).toBe(databaseName);
    expect(settings.hosts.map(({ host, port }) => [host, port])).toEqual(hosts);
  });

  it.each([
    'jdbc:postgresql://h',
    'jdbc:postgresql://h/a/b',
    'jdbc:postgresql:/db',
    'jdbc:postgresql://u:topsecret@h/db',
    'jdbc:postgresql://h:99999/db',
    'jdbc:postgresql://h:0/db',
    'jdbc:postgresql://h:x/db',
    'jdbc:postgresql://::1/db',
    'jdbc:postgresql://h/d%',
    'jdbc:postgresql://h/d?password=topsecret%',
    'jdbc:postgresql://h/d?password=topsecret%ff',
    'JDBC:postgresql:db',
    '',
    'h/db',
  ])('refuses %s, as the driver does, without repeating a password', (url) => {
    const reading = read(url);
    expect(refusalOf(reading)).toContain('FLYWAY_URL');
    expect(JSON.stringify(reading.findings)).not.toContain('topsecret');
  });

  it.each([
    ['jdbc:p6spy:postgresql://h/db', 'p6spy'],
    ['jdbc:aws-wrapper:postgresql://h/db', 'aws-wrapper'],
    ['jdbc:tc:postgresql:16:///db', 'Testcontainers'],
    ['jdbc-secretsmanager:postgresql://h/db', 'AWS'],
    ['jdbc:sqlserver://h', "neither PostgreSQL's"],
  ])('refuses %s and says what it is', (url, word) => {
    const reading = read(url);
    expect(refusalOf(reading)).toContain(word);
    expect(reading.findings[0]?.code).toBe('url-unsupported');
  });

  it('names the database after the system user when nothing names a user', () => {
    const settings = settingsOf(read('jdbc:postgresql://h/', { user: undefined }));
    expect([settings.user, settings.databaseName]).toEqual(['me', 'me']);
  });

  it('refuses a URL without database when no user is known at all', () => {
    expect(refusalOf(read('jdbc:postgresql://h/', { user: undefined, systemUser: undefined }))).toContain(
      'names no database',
    );
  });
});

describe('postgres:// URLs', () => {
  it.each([
    ['postgres://h/db', 'db', [['h', 5432]]],
    ['postgresql://h:6000', 'cfg', [['h', 6000]]],
    ['postgresql:///db', 'db', [['localhost', 5432]]],
    [
      'postgresql://a:1,b:2/db',
      'db',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    ['postgresql://[::1]:7/db', 'db', [['::1', 7]]],
    ['postgresql:///db?host=/var/run/postgresql', 'db', [['/var/run/postgresql', 5432]]],
    ['postgresql://%2Fvar%2Frun/db', 'db', [['/var/run', 5432]]],
    [
      'postgresql:///db?host=a,b&port=9',
      'db',
      [
        ['a', 9],
        ['b', 9],
      ],
    ],
  ] as const)('%s is database %s', (url, databaseName, hosts) => {
    const settings = settingsOf(read(url));
    expect(settings.databaseName).toBe(databaseName);
    expect(settings.hosts.map(({ host, port }) => [host, port])).toEqual(hosts);
  });

  it('keeps a "+" in user and password, and takes an unencoded @ as part of the password', () => {
    const settings = settingsOf(read('postgres://a+b:x+y@z@h/db'));
    expect([settings.user, settings.password?.reveal()]).toEqual(['a+b', 'x+y@z']);
  });

  it('translates the names that libpq gives its parameters', () => {
    const settings = settingsOf(
      read('postgres://h/db?application_name=x&connect_timeout=3&target_session_attrs=read-write&sslmode=disable'),
    );
    expect([settings.applicationName, settings.connectTimeoutMs, settings.targetServer, settings.tls.mode]).toEqual([
      'x',
      3000,
      'primary',
      'disable',
    ]);
  });

  it.each([
    'postgres://u:100%@h/db',
    'postgres://u%zz@h/db',
    'postgres://u:p@w/d@h/db',
    'postgres://u:12/d@h/db',
    'postgres://u:12?d@h/db',
    'postgres://h/db?target_session_attrs=read-only',
    'postgres://h/db?passfile=/x',
    'postgres://h/db?channel_binding=require',
    'postgres://h/db?gssencmode=require',
  ])('refuses %s', (url) => {
    refusalOf(read(url));
  });
});

describe('user and password', () => {
  it.each([
    [
      'the URL beats the keys beside it',
      'jdbc:postgresql://h/db?user=u&password=p',
      { user: { value: 'prop', source: 's' } },
      'u',
      'p',
    ],
    [
      'the keys beat the driver properties',
      'jdbc:postgresql://h/db',
      { user: { value: 'prop', source: 's' } },
      'cfg',
      'cfgpw',
    ],
  ])('%s', (_, url, properties, user, password) => {
    const settings = settingsOf(read(url, { properties }));
    expect([settings.user, settings.password?.reveal()]).toEqual([user, password]);
  });

  it('falls back to driver properties when there are no keys, and takes empty keys as none', () => {
    const settings = settingsOf(
      read('jdbc:postgresql://h/db', {
        user: { value: '', source: 's' },
        password: undefined,
        properties: { user: { value: 'prop', source: 's' }, password: { value: 'propw', source: 's' } },
      }),
    );
    expect([settings.user, settings.password?.reveal()]).toEqual(['prop', 'propw']);
  });

  it('any user and password survive the encoding of either notation', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 });
    fc.assert(
      fc.property(text, text, (user, password) => {
        const [u, p] = [encodeURIComponent(user), encodeURIComponent(password)];
        for (const url of [`postgres://${u}:${p}@h/db`, `jdbc:postgresql://h/db?user=${u}&password=${p}`]) {
          const { settings } = read(url);
          expect([settings?.user, settings?.password?.reveal()]).toEqual([user, password]);
        }
      }),
    );
  });

  it.each(['100%', 'a@b', 'with blanks in it', '%40', 'p+q', 'a/b?c#d&e=f:g', '"\'\\', 'pä$$wörd€'])(
    'the password %s beside the URL is used letter for letter',
    (password) => {
      const settings = settingsOf(
        read('jdbc:postgresql://h/db', { password: { value: new Secret(password), source: 's' } }),
      );
      expect(settings.password?.reveal()).toBe(password);
    },
  );

  it('the printable form holds neither password nor parameters, and encodes what would be ambiguous', () => {
    const { settings, secrets } = read(
      'jdbc:postgresql://h,[::1]:7/my%20db?user=a%40b&password=hunter22&sslpassword=keysecret',
    );
    expect(settings?.display).toBe('postgresql://a%40b@h:5432,[::1]:7/my%20db');
    expect(JSON.stringify(settings)).not.toMatch(/hunter22|keysecret/);
    expect(secrets.map((secret) => secret.reveal())).toEqual(expect.arrayContaining(['hunter22', 'keysecret']));
  });

  it('hands over what may be a password of a URL that cannot be read', () => {
    expect(read('postgres://u:topsecret@h:no/db').secrets.map((secret) => secret.reveal())).toContain('topsecret');
    expect(read('jdbc:sqlserver://h/db?password=topsecret').secrets.map((secret) => secret.reveal())).toContain(
      'topsecret',
    );
  });
});

describe('TLS', () => {
  // pgjdbc SslMode.of: sslmode decides; else ssl=true or a bare ssl means verify-full; else prefer.
  it.each([
    ['', 'prefer'],
    ['?ssl=true', 'verify-full'],
    ['?ssl', 'verify-full'],
    ['?ssl=false', 'prefer'],
    ['?ssl=true&sslmode=require', 'require'],
    ['?sslmode=VERIFY-CA', 'verify-ca'],
    ['?sslmode=disable&ssl=true', 'disable'],
    ['?sslmode=allow', 'allow'],
  ])('%s means %s', (query, mode) => {
    expect(settingsOf(read(`jdbc:postgresql://h/db${query}`)).tls.mode).toBe(mode);
  });

  it('finds certificate files from the project folder', () => {
    const { tls } = settingsOf(
      read(
        'jdbc:postgresql://h/db?sslmode=verify-full&sslrootcert=ca.pem&sslcert=/abs/c.pem&sslkey=../k.pem&sslpassword=s%20x',
      ),
    );
    expect([tls.rootCertificateFile, tls.certificateFile, tls.keyFile, tls.keyPassword?.reveal()]).toEqual([
      '/project/ca.pem',
      '/abs/c.pem',
      '/k.pem',
      's x',
    ]);
  });

  it.each([
    'sslmode=maybe',
    'sslmode=',
    'sslkey=client.p12',
    'sslkey=client.pfx',
    'sslrootcert=trust.jks',
    'sslkey=client.pk8',
    'sslrootcert=system',
  ])('refuses %s', (query) => {
    refusalOf(read(`jdbc:postgresql://h/db?${query}`));
  });
});

describe('other parameters', () => {
  it.each([
    ['app', ['app']],
    ['App,other', ['app', 'other']],
    ['"App", "a""b" ,c', ['App', 'a"b', 'c']],
    ['"$user",public', ['$user', 'public']],
    ['', []],
  ])('currentSchema=%s is the search path %j', (value, expected) => {
    expect(settingsOf(read(`jdbc:postgresql://h/db?currentSchema=${encodeURIComponent(value)}`)).searchPath).toEqual(
      expected,
    );
  });

  it.each(['a,', '"a', 'a b', ',a'])('refuses currentSchema=%s', (value) => {
    expect(refusalOf(read(`jdbc:postgresql://h/db?currentSchema=${encodeURIComponent(value)}`))).toContain(
      'currentSchema',
    );
  });

  it.each([
    ['', 10_000],
    ['?connectTimeout=3', 3000],
    ['?connectTimeout=0', 0],
    ['?loginTimeout=2.5', 2500],
    ['?connectTimeout=1&loginTimeout=30', 1000],
    ['?connectTimeout=0&loginTimeout=30', 30_000],
  ])('%s is a limit of %d ms', (query, milliseconds) => {
    expect(settingsOf(read(`jdbc:postgresql://h/db${query}`)).connectTimeoutMs).toBe(milliseconds);
  });

  it.each(['connectTimeout=soon', 'connectTimeout=-1', 'loginTimeout=1e9', 'targetServerType=best'])(
    'refuses %s',
    (query) => {
      refusalOf(read(`jdbc:postgresql://h/db?${query}`));
    },
  );

  it.each([
    ['any', 'any'],
    ['primary', 'primary'],
    ['master', 'primary'],
    ['slave', 'secondary'],
    ['preferSlave', 'preferSecondary'],
    ['preferPrimary', 'preferPrimary'],
  ])('targetServerType=%s asks for %s', (written, expected) => {
    expect(settingsOf(read(`jdbc:postgresql://h/db?targetServerType=${written}`)).targetServer).toBe(expected);
  });

  it('passes options on, and has the server enforce readOnly', () => {
    expect(settingsOf(read('jdbc:postgresql://h/db?options=-c%20geqo=off')).options).toBe('-c geqo=off');
    expect(settingsOf(read('jdbc:postgresql://h/db?options=-c%20geqo=off&readOnly=true')).options).toBe(
      '-c geqo=off -c default_transaction_read_only=on',
    );
    expect(settingsOf(read('jdbc:postgresql://h/db?readOnly=true&readOnlyMode=ignore')).options).toBeUndefined();
    expect(settingsOf(read('jdbc:postgresql://h/db')).options).toBeUndefined();
  });

  it('calls itself flyback unless told otherwise', () => {
    expect(settingsOf(read('jdbc:postgresql://h/db')).applicationName).toBe('flyback');
    expect(settingsOf(read('jdbc:postgresql://h/db?ApplicationName=deploy')).applicationName).toBe('deploy');
  });

  it('a driver property counts unless the URL has the same', () => {
    const properties = {
      sslmode: { value: 'require', source: 'flyway.toml environments.default.jdbcProperties.sslmode' },
    };
    expect(settingsOf(read('jdbc:postgresql://h/db', { properties })).tls.mode).toBe('require');
    expect(settingsOf(read('jdbc:postgresql://h/db?sslmode=disable', { properties })).tls.mode).toBe('disable');
  });

  it.each(Object.keys(refusedKeys))(
    'refuses %s with its name and a remedy, in the URL and as a driver property',
    (key) => {
      expect(refusalOf(read(`jdbc:postgresql://h/db?${key}=com.example.Thing`))).toContain(key);
      const reading = read('jdbc:postgresql://h/db', {
        properties: { [key]: { value: 'com.example.Thing', source: 'the.file' } },
      });
      expect(refusalOf(reading)).toContain('the.file');
    },
  );

  it.each([
    'gssEncMode=prefer',
    'channelBinding=prefer',
    'sslNegotiation=postgres',
    'sslfactory=org.postgresql.ssl.LibPQFactory',
    'replication=false',
  ])('lets %s pass, which asks for nothing special', (query) => {
    expect(read(`jdbc:postgresql://h/db?${query}`).findings).toEqual([]);
    settingsOf(read(`jdbc:postgresql://h/db?${query}`));
  });

  it.each(tuningKeys)('ignores %s and mentions it', (key) => {
    const reading = read(`jdbc:postgresql://h/db?${key}=1`);
    settingsOf(reading);
    expect(reading.findings.map(({ code, severity }) => [code, severity])).toEqual([['url-key-ignored', 'info']]);
  });

  it('warns of an unknown key and names the likely one', () => {
    const reading = read('jdbc:postgresql://h/db?applicationname=x');
    settingsOf(reading);
    expect(reading.findings[0]).toMatchObject({
      code: 'url-key-unknown',
      severity: 'warning',
      hint: expect.stringContaining('ApplicationName') as string,
    });
  });

  it('reports all problems of a URL at once', () => {
    const { findings } = read(
      'jdbc:postgresql://h:0/db?sslmode=no&socketFactory=x&connectTimeout=y&targetServerType=z',
    );
    expect(findings.filter(({ severity }) => severity === 'error')).toHaveLength(5);
  });
});
