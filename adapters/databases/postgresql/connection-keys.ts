/*
 * What flyback does with each parameter of a PostgreSQL connection. Names and meanings: pgjdbc 42.7, PGProperty;
 * those that only libpq knows: PostgreSQL manual, "Parameter Key Words".
 */

/** Parameters that readConnection turns into settings. */
export const honouredKeys = [
  'user',
  'password',
  'PGHOST',
  'PGPORT',
  'PGDBNAME',
  'ssl',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'currentSchema',
  'options',
  'targetServerType',
  'connectTimeout',
  'loginTimeout',
  'ApplicationName',
  'readOnly',
  'readOnlyMode',
] as const;

/** Parameters that only tune the Java driver: leaving them out changes neither who is reached nor how safely. */
export const tuningKeys: readonly string[] = [
  'adaptiveFetch',
  'adaptiveFetchMaximum',
  'adaptiveFetchMinimum',
  'allowEncodingChanges',
  'assumeMinServerVersion',
  'autosave',
  'binaryTransfer',
  'binaryTransferDisable',
  'binaryTransferEnable',
  'cancelSignalTimeout',
  'classLoaderStrategy',
  'cleanupSavepoints',
  'connectExecutor',
  'connectExecutorArg',
  'convertBooleanToNumeric',
  'databaseMetadataCacheFields',
  'databaseMetadataCacheFieldsMiB',
  'defaultRowFetchSize',
  'disableColumnSanitiser',
  'escapeSyntaxCallMode',
  'flushCacheOnDdl',
  'groupStartupParameters',
  'gssResponseTimeout',
  'hideUnprivilegedObjects',
  'hostRecheckSeconds',
  'loadBalanceHosts',
  'logServerErrorDetail',
  'logUnclosedConnections',
  'loggerFile',
  'loggerLevel',
  'maxResultBuffer',
  'maxSendBufferSize',
  'pemKeyAlgorithm',
  'preferQueryMode',
  'prepareThreshold',
  'preparedStatementCacheQueries',
  'preparedStatementCacheSizeMiB',
  'queryTimeout',
  'quoteReturningIdentifiers',
  'reWriteBatchedInserts',
  'reWriteBatchedInsertsSize',
  'receiveBufferSize',
  'scramMaxIterations',
  'sendBufferSize',
  'socketTimeout',
  'sslResponseTimeout',
  'stringtype',
  'tcpKeepAlive',
  'tcpNoDelay',
  'unknownLength',
  'xmlFactoryFactory',
  'client_encoding',
  'fallback_application_name',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'tcp_user_timeout',
  'sslcompression',
  'sslsni',
];

export interface Refusal {
  /** What the key would change, and why flyback cannot. */
  readonly reason: string;
  readonly hint: string;
  /** Values that ask for nothing special, in lower case. */
  readonly harmless?: readonly string[];
}

const javaClass = 'it names a Java class, which only a Java program can load';
const kerberos = 'it sets up Kerberos or SSPI authentication, which flyback cannot do';
const kerberosHint =
  'Use password or certificate authentication for flyback, with a URL of its own (--url or FLYBACK_URL).';
const ownUrl = 'Give flyback a URL of its own without it (--url or FLYBACK_URL).';

/** Parameters that change security or routing and that flyback cannot honour. */
export const refusedKeys: Readonly<Record<string, Refusal>> = {
  socketFactory: { reason: `${javaClass}, and decides where the connection goes`, hint: ownUrl },
  socketFactoryArg: { reason: 'it steers a Java socket factory', hint: ownUrl },
  sslfactory: {
    reason: `${javaClass}, and decides which certificates are trusted`,
    hint: 'Use sslmode with sslrootcert, sslcert and sslkey; sslmode=require stands for NonValidatingFactory.',
    harmless: ['org.postgresql.ssl.libpqfactory'],
  },
  sslfactoryarg: { reason: 'it steers a Java TLS factory', hint: 'Use sslmode with sslrootcert, sslcert and sslkey.' },
  sslhostnameverifier: { reason: javaClass, hint: 'Use sslmode=verify-full or sslmode=verify-ca.' },
  sslpasswordcallback: { reason: javaClass, hint: 'Use sslpassword, or a key file without a password.' },
  authenticationPluginClassName: {
    reason: `${javaClass}, and supplies the password`,
    hint: 'Fetch the password outside and pass it in a variable (--password-env NAME or FLYBACK_PASSWORD).',
  },
  service: {
    reason: 'it takes host, user and password from a pg_service.conf file, which flyback does not read',
    hint: 'Write host, port, database and user into the URL.',
  },
  gssEncMode: {
    reason: 'GSSAPI encryption is something flyback cannot do',
    hint: 'Use TLS (sslmode=verify-full) instead.',
    harmless: ['disable', 'allow', 'prefer'],
  },
  gsslib: { reason: kerberos, hint: kerberosHint, harmless: ['auto'] },
  gssUseDefaultCreds: { reason: kerberos, hint: kerberosHint, harmless: ['false'] },
  gssdelegation: { reason: kerberos, hint: kerberosHint, harmless: ['0'] },
  jaasApplicationName: { reason: kerberos, hint: kerberosHint },
  jaasLogin: { reason: kerberos, hint: kerberosHint },
  kerberosServerName: { reason: kerberos, hint: kerberosHint },
  sspiServiceClass: { reason: kerberos, hint: kerberosHint },
  useSpnego: { reason: kerberos, hint: kerberosHint, harmless: ['false'] },
  channelBinding: {
    reason: 'flyback cannot insist on channel binding',
    hint: 'Use sslmode=verify-full, which proves the server by its certificate, and channelBinding=prefer.',
    harmless: ['disable', 'prefer'],
  },
  requireAuth: {
    reason: 'flyback cannot limit which authentication methods the server may ask for',
    hint: 'Use sslmode=verify-full, which proves the server before the password is sent.',
    harmless: [''],
  },
  sslNegotiation: {
    reason: 'flyback always asks PostgreSQL for TLS in the usual way first',
    hint: 'Use sslNegotiation=postgres, which every PostgreSQL server understands.',
    harmless: ['postgres'],
  },
  localSocketAddress: { reason: 'flyback cannot choose the local address of the connection', hint: ownUrl },
  replication: {
    reason: 'it asks for a replication connection, which runs no ordinary SQL',
    hint: ownUrl,
    harmless: ['false', 'off', 'no', '0'],
  },
  protocolVersion: { reason: 'flyback speaks protocol version 3 only', hint: ownUrl, harmless: ['3'] },
  hostaddr: { reason: 'flyback resolves host names itself', hint: 'Write the address in place of the host name.' },
  passfile: {
    reason: 'flyback takes no password file from a URL',
    hint: 'Pass the password in a variable (--password-env NAME or FLYBACK_PASSWORD).',
  },
  requirepeer: { reason: 'flyback cannot check who owns the server process', hint: ownUrl },
  sslcrl: { reason: 'flyback checks no revocation lists', hint: ownUrl },
  sslcrldir: { reason: 'flyback checks no revocation lists', hint: ownUrl },
  sslcertmode: {
    reason: 'flyback cannot insist on when a client certificate is sent',
    hint: ownUrl,
    harmless: ['allow'],
  },
  ssl_min_protocol_version: { reason: 'flyback cannot set the TLS version', hint: ownUrl, harmless: ['tlsv1.2'] },
  ssl_max_protocol_version: { reason: 'flyback cannot set the TLS version', hint: ownUrl },
};

/** Every name above, for "did you mean". */
export const knownKeys: readonly string[] = [...honouredKeys, ...tuningKeys, ...Object.keys(refusedKeys)];
