import type { Notation } from './url-parts.js';

/*
 * What flyback does with each parameter of a MySQL or MariaDB connection. Names and meanings: MySQL Connector/J 9
 * ("Configuration Properties"), MariaDB Connector/J 3 ("About MariaDB Connector/J"), go-sql-driver/mysql 1.9 (README,
 * "Parameters"), mysql2 3 (ConnectionOptions). Upper and lower case do not matter to any of the Java drivers.
 */

/** Parameters that become settings, in lower case and without "-" and "_". */
export const honouredKeys: ReadonlySet<string> = new Set([
  'user',
  'password',
  'usessl',
  'sslmode',
  'ssl',
  'tls',
  'requiressl',
  'verifyservercertificate',
  'trustservercertificate',
  'disablesslhostnameverification',
  'serversslcert',
  'sslca',
  'sslcert',
  'sslkey',
  'connecttimeout',
  'timeout',
  'sessionvariables',
  'initsql',
  'localsocket',
  'socket',
  'socketpath',
  'database',
]);

export interface Refusal {
  /** What the key would change, and why flyback cannot. */
  readonly reason: string;
  readonly hint: string;
  /** Values that ask for nothing special, in lower case. */
  readonly harmless?: readonly string[];
}

const ownUrl = 'Give flyback a URL of its own without it (--url or FLYBACK_URL).';
const pem = 'Convert it to PEM files and name the authority in serverSslCert.';
const off = ['false', '0', 'no'];
const javaStore: Refusal = { reason: 'it names a Java key store, which flyback cannot open', hint: pem };
const routing: Refusal = {
  reason: 'it decides where the connection goes, in a way that flyback cannot follow',
  hint: ownUrl,
};
const signIn: Refusal = {
  reason: 'it decides how the account signs in, in a way that flyback cannot follow',
  hint: 'Use an account with a password for flyback, with a URL of its own (--url or FLYBACK_URL).',
};
const tlsDetail: Refusal = {
  reason: 'flyback cannot limit the versions and ciphers of TLS',
  hint: 'Limit them on the server (tls_version, ssl_cipher), or leave it out.',
};

/** Parameters that change security or routing, or what SQL means, and that flyback cannot honour; in lower case. */
export const refusedKeys: Readonly<Record<string, Refusal>> = {
  trustcertificatekeystoreurl: javaStore,
  trustcertificatekeystorepassword: javaStore,
  trustcertificatekeystoretype: { ...javaStore, harmless: ['', 'jks'] },
  clientcertificatekeystoreurl: javaStore,
  clientcertificatekeystorepassword: javaStore,
  clientcertificatekeystoretype: { ...javaStore, harmless: ['', 'jks'] },
  truststore: javaStore,
  truststorepassword: javaStore,
  keystore: javaStore,
  keystorepassword: javaStore,
  keypassword: javaStore,
  serverrsapublickeyfile: signIn,
  serverpubkey: signIn,
  allowpublickeyretrieval: {
    reason: 'without TLS flyback takes the key that the server sends',
    hint: 'Use sslMode=REQUIRED, with which no such key is needed.',
    harmless: ['true', '1', 'yes', ''],
  },
  authenticationplugins: signIn,
  defaultauthenticationplugin: signIn,
  disabledauthenticationplugins: signIn,
  restrictedauth: signIn,
  credentialtype: signIn,
  ociconfigfile: signIn,
  ociconfigprofile: signIn,
  authenticationfidocallbackhandler: signIn,
  authenticationwebauthncallbackhandler: signIn,
  gssapi: signIn,
  serviceprincipalname: signIn,
  passwordsha1: signIn,
  password1: signIn,
  password2: signIn,
  password3: signIn,
  allowcleartextpasswords: { reason: 'flyback never sends a password in clear text', hint: ownUrl, harmless: off },
  enablecleartextplugin: { reason: 'flyback never sends a password in clear text', hint: ownUrl, harmless: off },
  allowoldpasswords: { reason: 'passwords of MySQL 4.0 are not secure', hint: ownUrl, harmless: off },
  host: routing,
  hostname: routing,
  port: routing,
  socketfactory: routing,
  socksproxyhost: routing,
  socksproxyport: routing,
  localsocketaddress: routing,
  localaddress: routing,
  namedpipepath: routing,
  pipe: routing,
  dnssrv: { ...routing, harmless: off },
  propertiestransform: routing,
  loadbalanceautocommitstatementthreshold: routing,
  replicationconnectiongroup: routing,
  sharedmemory: routing,
  tlsversions: { ...tlsDetail, harmless: ['tlsv1.2', 'tlsv1.2,tlsv1.3', 'tlsv1.3,tlsv1.2'] },
  enabledtlsprotocols: { ...tlsDetail, harmless: ['tlsv1.2', 'tlsv1.2,tlsv1.3', 'tlsv1.3,tlsv1.2'] },
  enabledsslprotocolsuites: {
    ...tlsDetail,
    harmless: ['tlsv1.2', 'tlsv1.2,tlsv1.3', 'tlsv1.3,tlsv1.2', 'tlsv1.2, tlsv1.3'],
  },
  tlsciphersuites: tlsDetail,
  enabledsslciphersuites: tlsDetail,
  enabledsslciphersuite: tlsDetail,
  fipscompliantjsse: { ...tlsDetail, harmless: off },
  forceconnectiontimezonetosession: {
    reason: 'it sets the time zone of the session from that of a Java program',
    hint: "Say which one is meant: sessionVariables=time_zone='+00:00'.",
    harmless: off,
  },
  galeraallowedstate: routing,
};

/** Parameters that change neither who is reached, nor how safely, nor what SQL means; in lower case. */
export const tuningKeys: ReadonlySet<string> = new Set(
  `allowloadlocalinfile allowloadlocalinfileinpath allowlocalinfile allowallfiles allowmultiqueries allownanandinf allowreplicaslowconnection
  allowsourcedownconnections allownativepasswords allowfallbacktoplaintext alwayssendsetisolation autocommit autodeserialize
  autogeneratetestcasescript autoreconnect autoreconnectforpools autoslowlog assurereadonly blobsarestrings
  blobsendchunksize blankstablenamemeta cachecallablestmts cachecallablestatements cachedefaulttimezone cacheprepstmts
  cacheresultsetmetadata cacheserverconfiguration callablestmtcachesize characterencoding characterSetResults charset
  checkconnliveness clientfoundrows clientinfoprovider clobbercharacterencoding clobcharacterencoding collation
  columnswithalias compensateonduplicatekeyupdatecounts compress connectionattributes connectioncollation
  connectionlifecycleinterceptors connectionlimit connectiontimezone continuebatchonerror createdatabaseifnotexist
  customcharsetmapping databaseterm dateStrings debug decimalnumbers defaultfetchsize detectcustomcollations
  disableeval disablepipeline dontcheckonduplicatekeyupdateinsert dontkeepalive dontTrackOpenResources dumpmetadataoncolumnnotfound dumpqueriesonexception
  elidesetautocommits emptystringsconverttozero emulatelocators emulateunsupportedpstmts enableescapeprocessing
  enableKeepAlive enablepackethdebug enablequerytimeouts enableskipmeta exceptioninterceptors explainslowqueries failoverreadonly
  flags functionsneverreturnblobs gathperfmetrics gatherperfmetrics generatesimpleparametermetadata geometrydefaulttype getproceduresreturnsfunctions
  holdresultsopenoverstatementclose idletimeout ignorenontxtables includeinnodbstatusindeadlockexceptions
  includethreaddumpindeadlockexceptions includethreadnamesasstatementcomment initialtimeout interactiveclient interpolateparams
  jdbccomplianttruncation jsonstrings keepaliveinitialdelay largerowsizethreshold loc locatorfetchbuffersize log logger
  logslowqueries logxacalls maintaintimestats maxallowedpacket maxidle maxquerysizetolog maxreconnects maxrows maxquerysize metadatacachesize
  maxpreparedstatements multipleStatements multistatements namedplaceholders nesttables netTimeoutForStreamingResults networktimeout nocache nodatetimestringsync
  noaccesstoprocedurebodies nulldatabasemeanscurrent overridesupportsintegrityenhancementfacility packetdebugbuffersize
  paranoid parsetime passwordcharacterencoding pedantic permitmysqlscheme pinglobaltxtophysicalconnection poolname pool populateinsertrowwithdefaultvalues
  preparedstatementcachesize preparedstatementcachesqllimit prepstmtcachesize prepstmtcachesqllimit preserveinstants processescapecodesforprepstmts
  profilereventhandler profilersql queriesbeforeretrysource queryinfocachefactory queryinterceptors querytimeoutkillsconnection queuelimit readfromsourcewhennoreplicas
  readonlypropagatestoserver readtimeout reconnectattransend rejectreadonly reporttimes resourceid resultsetsizethreshold retriesalldown returndsavedcharsets
  rewritebatchedstatements rollbackonpooledclose rowsasarray scrollablefetch secondsbeforeretrysource selfdestructonpingmaxoperations
  selfdestructonpingsecondslifetime sendfractionalseconds sendfractionalsecondsfortime serveraffinityorder serverconfigcachefactory
  servertimezone slowquerythresholdmillis slowquerythresholdnanos sockettimeout stringifyobjects strictupdates supportbignumbers bignumberstrings
  tcpabortiveclose tcpkeepalive tcpkeepcount tcpkeepidle tcpkeepinterval tcpnodelay tcprcvbuf tcpsndbuf tcptrafficclass testcaseconnection timetruncate timezone
  tinyint1isbit traceprotocol trace transactionisolation transactionreplay transformedbitisboolean treatmysqldatetimeastimestamp
  treatutildateastimestamp typecast ultradevhack updatableresultset usebulkstmts usebulkstmtsforinserts usebatchmultisend usecatalogterm usecolumnnamesinfindcolumn usecompression
  useaffectedrows useconfigs usecursorfetch usehostsinprivileges useinformationschema uselocalsessionstate uselocaltransactionstate usemysqlmetadata useoldaliasmetadatabehavior
  useonlyserverprepstmts usereadaheadinput usereadonly useserverprepstmts usesspscompatibletimezoneshift usestreamlengthsinprepstmts useunbufferedinput useunicode useusageadvisor usesmbytes
  verifynosslwarning waitforconnections writetimeout yearisdatetype zerodatetimebehavior zerodatetime`
    .toLowerCase()
    .split(/\s+/),
);

/** MariaDB's driver sets the session's time zone by it, others only convert what they read. */
export function setsTimeZone(key: string, value: string, notation: Notation): boolean {
  return notation === 'mariadb-java' && key === 'timezone' && !['', 'disable'].includes(value.toLowerCase());
}

/** golang-migrate's own parameters, which are not the driver's. */
export function isToolParameter(name: string): boolean {
  return name.startsWith('x-');
}
