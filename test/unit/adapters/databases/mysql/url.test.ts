import { describe, expect, it } from 'vitest';
import { type MysqlConnectionReading, readMysqlConnection } from '../../../../../adapters/databases/mysql/url.js';
import { Secret } from '../../../../../src/config/config.js';
import type { ConnectionRequest } from '../../../../../src/config/readers.js';

function read(url: string, changes: Partial<ConnectionRequest> = {}): MysqlConnectionReading {
  return readMysqlConnection({
    url: { value: url, source: '--url' },
    user: undefined,
    password: undefined,
    properties: {},
    initSql: undefined,
    systemUser: 'me',
    baseFolder: '/project',
    ...changes,
  });
}

function codes(reading: MysqlConnectionReading): readonly string[] {
  return reading.findings.map(({ code, severity }) => `${severity} ${code}`);
}

describe('hosts, database and account', () => {
  it.each([
    ['jdbc:mysql://db:3307/shop', [{ host: 'db', port: 3307 }], 'shop', 'me', undefined],
    ['jdbc:mysql://db/shop?user=u&password=p%26w', [{ host: 'db', port: 3306 }], 'shop', 'u', 'p&w'],
    ['jdbc:mysql://u:p%40w@db/my%2Ddb', [{ host: 'db', port: 3306 }], 'my-db', 'u', 'p@w'],
    [
      'jdbc:mariadb://a:1,[::1]:2,c/shop',
      [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 3306 },
      ],
      'shop',
      'me',
      undefined,
    ],
    [
      'jdbc:mariadb:sequential://a,b/shop',
      [
        { host: 'a', port: 3306 },
        { host: 'b', port: 3306 },
      ],
      'shop',
      'me',
      undefined,
    ],
    [
      'jdbc:mariadb://localhost/shop?localSocket=/run/my.sock',
      [{ host: '/run/my.sock', port: 0 }],
      'shop',
      'me',
      undefined,
    ],
    ['jdbc:mysql:///shop', [{ host: 'localhost', port: 3306 }], 'shop', 'me', undefined],
    ['mysql://u:p@ss@db:3306/shop', [{ host: 'db', port: 3306 }], 'shop', 'u', 'p@ss'],
    ['mariadb://u:@db/shop', [{ host: 'db', port: 3306 }], 'shop', 'u', undefined],
    [
      'mysql://u@localhost/shop?socketPath=%2Frun%2Fmy.sock',
      [{ host: '/run/my.sock', port: 0 }],
      'shop',
      'u',
      undefined,
    ],
    ['mysql://u:p%2Fw@tcp(db:3307)/shop?multiStatements=true', [{ host: 'db', port: 3307 }], 'shop', 'u', 'p/w'],
    ['mysql://u:a(b)/c@tcp(db:3307)/shop', [{ host: 'db', port: 3307 }], 'shop', 'u', 'a(b)/c'],
    ['mysql://u:p@tcp([de:ad::1]:80)/shop', [{ host: 'de:ad::1', port: 80 }], 'shop', 'u', 'p'],
    ['mysql://u:p@unix(/run/my.sock)/shop', [{ host: '/run/my.sock', port: 0 }], 'shop', 'u', 'p'],
    ['mysql://u:p@tcp/shop', [{ host: 'tcp', port: 3306 }], 'shop', 'u', 'p'],
    ['mysql://u:p@/shop', [{ host: 'localhost', port: 3306 }], 'shop', 'u', 'p'],
  ])('%s', (url, hosts, databaseName, user, password) => {
    const { settings, findings } = read(url);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(settings).toMatchObject({ database: 'mysql', hosts, databaseName, user });
    expect(settings?.password?.reveal()).toBe(password);
  });

  it('what stands beside the URL counts when the URL does not say', () => {
    const beside = {
      user: { value: 'config', source: 'flyway.toml' },
      password: { value: new Secret('config'), source: 'flyway.toml' },
      properties: {
        user: { value: 'property', source: 'flyway.toml' },
        sslMode: { value: 'REQUIRED', source: 'flyway.toml' },
      },
    };
    expect(read('jdbc:mysql://db/shop', beside).settings).toMatchObject({ user: 'config', tls: { mode: 'require' } });
    const { settings } = read('jdbc:mysql://url:url@db/shop', beside);
    expect([settings?.user, settings?.password?.reveal()]).toEqual(['url', 'url']);
  });

  it('shows no password', () => {
    const { settings, secrets } = read('mysql://u:geheim@h%C3%BCgel:1,[::1]:2/a%2520b');
    expect(settings?.display).toBe('mysql://u@hügel:1,[::1]:2/a%2520b');
    expect(secrets.map((secret) => secret.reveal())).toEqual(['geheim']);
  });
});

describe('TLS', () => {
  it.each([
    ['jdbc:mysql://h/d', 'prefer'],
    ['jdbc:mysql://h/d?useSSL=false', 'disable'],
    ['jdbc:mysql://h/d?useSSL=true', 'prefer'],
    ['jdbc:mysql://h/d?useSSL=true&requireSSL=true', 'require'],
    ['jdbc:mysql://h/d?verifyServerCertificate=true', 'verify-ca'],
    ['jdbc:mysql://h/d?sslMode=verify_identity&useSSL=false', 'verify-full'],
    ['jdbc:mysql://h/d?SSLMODE=Disabled', 'disable'],
    ['jdbc:mysql://h/d?ssl=true', 'require'],
    ['jdbc:mariadb://h/d', 'prefer'],
    ['jdbc:mariadb://h/d?useSsl=true', 'verify-full'],
    ['jdbc:mariadb://h/d?useSsl=true&trustServerCertificate=true', 'require'],
    ['jdbc:mariadb://h/d?useSsl&disableSslHostnameVerification=true', 'verify-ca'],
    ['jdbc:mariadb://h/d?sslMode=trust', 'require'],
    ['jdbc:mariadb://h/d?requireSSL=true', 'require'],
    ['mysql://h/d?ssl-mode=REQUIRED', 'require'],
    ['mysql://h/d?ssl={"rejectUnauthorized":true}', 'verify-full'],
    ['mysql://h/d?ssl=%7B%22rejectUnauthorized%22:false%7D', 'require'],
    ['mysql://h/d?tls=true', 'require'],
    ['mysql://u@tcp(h)/d?tls=true', 'verify-full'],
    ['mysql://u@tcp(h)/d?tls=skip-verify', 'require'],
    ['mysql://u@tcp(h)/d?tls=preferred', 'prefer'],
    ['mysql://u@tcp(h)/d?tls=false', 'disable'],
    ['mysql://u@tcp(h)/d?tls=custom&x-tls-ca=ca.pem', 'verify-full'],
    ['mysql://u@tcp(h)/d?tls=custom&x-tls-insecure-skip-verify=true', 'require'],
  ])('%s means %s', (url, mode) => {
    const { settings } = read(url);
    expect(settings?.tls.mode).toBe(mode);
  });

  it('files are beside the project', () => {
    const file = (url: string) => read(url).settings?.tls;
    expect(file('jdbc:mariadb://h/d?serverSslCert=ca.pem')).toMatchObject({ rootCertificateFile: '/project/ca.pem' });
    expect(file('mysql://h/d?ssl-ca=/etc/ca.pem&ssl-cert=c.pem&ssl-key=k.pem')).toMatchObject({
      rootCertificateFile: '/etc/ca.pem',
      certificateFile: '/project/c.pem',
      keyFile: '/project/k.pem',
    });
  });
});

describe('what cannot be honoured is refused', () => {
  it.each([
    'jdbc:mysql://h/d?trustCertificateKeyStoreUrl=file:ca.jks',
    'jdbc:mysql://h/d?clientCertificateKeyStoreUrl=file:c.jks',
    'jdbc:mysql://h/d?socketFactory=com.google.cloud.sql.mysql.SocketFactory',
    'jdbc:mysql://h/d?socksProxyHost=proxy',
    'jdbc:mysql://h/d?tlsVersions=TLSv1.3',
    'jdbc:mysql://h/d?allowPublicKeyRetrieval=false',
    'jdbc:mysql://h/d?authenticationPlugins=x.Y',
    'jdbc:mysql://h/d?forceConnectionTimeZoneToSession=true',
    'jdbc:mysql://h/d?host=other',
    'jdbc:mariadb://h/d?keyStore=c.p12',
    'jdbc:mariadb://h/d?timezone=Europe/Berlin',
    'jdbc:mariadb://h/d?credentialType=AWS-IAM',
    'mysql://u@tcp(h)/d?allowCleartextPasswords=true',
  ])('%s', (url) => {
    const reading = read(url);
    expect(codes(reading)).toEqual(['error url-key-refused']);
    expect(reading.settings).toBeUndefined();
    expect(reading.findings[0]?.hint).toBeDefined();
  });

  it.each([
    'jdbc:mysql://h/d?allowPublicKeyRetrieval=true',
    'jdbc:mysql://h/d?tlsVersions=TLSv1.2,TLSv1.3',
    'jdbc:mysql://h/d?dnsSrv=false',
    'mysql://u@tcp(h)/d?allowCleartextPasswords=false',
  ])('%s asks for nothing special', (url) => {
    expect(read(url).findings).toEqual([]);
  });

  it('what only tunes is left out and told, what nobody knows is a warning', () => {
    expect(
      codes(read('jdbc:mysql://h/d?allowMultiQueries=true&serverTimezone=UTC&rewriteBatchedStatements=true')),
    ).toEqual(Array(3).fill('info url-key-ignored'));
    expect(codes(read('jdbc:mysql://h/d?connectionTimeZone=LOCAL&timezone=x'))).toEqual(
      Array(2).fill('info url-key-ignored'),
    );
    expect(codes(read('jdbc:mysql://h/d?sslmod=x&%00=y'))).toEqual(Array(2).fill('warning url-key-unknown'));
  });

  it.each([
    ['jdbc:mysql:loadbalance://a,b/d', 'url-unsupported'],
    ['jdbc:mysql:replication://a,b/d', 'url-unsupported'],
    ['jdbc:mysql+srv://h/d', 'url-unsupported'],
    ['jdbc:mysql://address=(host=a)(port=1)/d', 'url-invalid'],
    ['jdbc:mysql://h', 'url-value-invalid'],
    ['jdbc:mysql://h/', 'url-value-invalid'],
    ['jdbc:mysql://h:99999/d', 'url-value-invalid'],
    ['jdbc:mysql://::1/d', 'url-value-invalid'],
    ['jdbc:mysql://h/d?sslMode=maybe', 'url-value-invalid'],
    ['jdbc:mysql://h/d?connectTimeout=5s', 'url-value-invalid'],
    ['jdbc:mysql://h/d?sessionVariables=sql_mode', 'url-value-invalid'],
    ['jdbc:mariadb://h/d?serverSslCert=classpath:ca.pem', 'url-value-invalid'],
    ['mysql://h/d?ssl=Amazon RDS', 'url-value-invalid'],
    ['mysql://u@tcp(h)/d?tls=custom', 'url-value-invalid'],
    ['mysql://u@tcp(h)/d?timeout=5', 'url-value-invalid'],
    ['mysql://u@unix(my.sock)/d', 'url-invalid'],
    ['mysql://u@pipe(x)/d', 'url-invalid'],
    ['mysql://u@tcp(h)', 'url-invalid'],
    ['mysql://u:geheim%zz@h/d', 'url-invalid'],
    ['mysql://u:geheim/@h/d', 'url-invalid'],
    ['mysql://u:geheim?@h/d', 'url-invalid'],
    ['mysql:h/d', 'url-invalid'],
    ['postgres://h/d', 'url-invalid'],
  ])('%s: %s', (url, code) => {
    const reading = read(url);
    expect(codes(reading)).toEqual([`error ${code}`]);
    expect(reading.settings).toBeUndefined();
    expect(JSON.stringify(reading.findings)).not.toContain('geheim');
    if (url.includes('geheim'))
      expect(reading.secrets.some((secret) => secret.reveal().startsWith('geheim'))).toBe(true);
  });
});

it('variables of the session go in front of the initial SQL', () => {
  const initSql = (url: string, beside?: string) => read(url, { initSql: beside }).settings?.initSql;
  expect(
    initSql(
      "jdbc:mysql://h/d?sessionVariables=sql_mode='ANSI_QUOTES,NO_ZERO_DATE',@a=1;time_zone='%2B00:00'",
      'SELECT 1',
    ),
  ).toBe("SET sql_mode='ANSI_QUOTES,NO_ZERO_DATE', @a=1, time_zone='+00:00';\nSELECT 1");
  expect(initSql('mysql://u@tcp(h)/d?sql_mode=%27ANSI%27&parseTime=true&lock_wait_timeout=5')).toBe(
    "SET sql_mode = 'ANSI', lock_wait_timeout = 5",
  );
  expect(initSql('jdbc:mysql://h/d')).toBeUndefined();
});

it("golang-migrate's own parameters are returned apart", () => {
  const reading = read('mysql://u:p@tcp(h:1)/d?x-migrations-table=m&x-no-lock=true&x-tls-ca=ca.pem&tls=custom');
  expect(reading.toolParameters).toEqual({ 'x-migrations-table': 'm', 'x-no-lock': 'true' });
  expect(reading.settings?.tls).toMatchObject({ mode: 'verify-full', rootCertificateFile: '/project/ca.pem' });
  expect(reading.findings).toEqual([]);
});

it('time limits are milliseconds, and durations of Go', () => {
  const limit = (url: string) => read(url).settings?.connectTimeoutMs;
  expect(limit('jdbc:mysql://h/d')).toBe(10_000);
  expect(limit('jdbc:mysql://h/d?connectTimeout=0')).toBe(0);
  expect(limit('jdbc:mysql://h/d?connectTimeout=1500')).toBe(1500);
  expect(limit('mysql://u@tcp(h)/d?timeout=1m1.5s')).toBe(61_500);
  expect(limit('jdbc:mysql://h/d?connectTimeout=99999999999')).toBe(2_147_483_647);
});
