import { hintsOf } from '../../../../src/proof/check-hints.js';
import { candidateValues, distinctValue, hash, type Reach, type TypeFacts } from '../../../../src/proof/fill-values.js';
import { quoteLiteral } from '../quoting.js';
import type { FillColumn } from './fill-facts.js';

/** The type of which src/proof/fill-values.ts knows values that the column takes, by its name there. */
const sameValues: Readonly<Record<string, string>> = {
  smallint: 'int2',
  mediumint: 'int4',
  int: 'int4',
  bigint: 'int8',
  decimal: 'numeric',
  float: 'float4',
  double: 'float8',
  char: 'bpchar',
  varchar: 'varchar',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  date: 'date',
  datetime: 'timestamp',
  timestamp: 'timestamp',
  time: 'time',
  json: 'jsonb',
  uuid: 'uuid',
  bit: 'bit',
  inet4: 'inet',
  inet6: 'inet',
};

/** How far the values of a type may go where it holds less than the one whose values it borrows. */
const reachAtMost: Readonly<Record<string, Reach>> = { mediumint: 'modest', tinyint: 'small' };

const shapes: Readonly<Record<string, (at: number) => string>> = {
  geometry: (at) => `POINT(${at}.25 ${at + 1}.5)`,
  point: (at) => `POINT(${at}.25 ${at + 1}.5)`,
  linestring: (at) => `LINESTRING(0 0, ${at}.25 ${at + 1}.5)`,
  polygon: (at) => `POLYGON((0 0, ${at + 1} 0, ${at + 1} 1, 0 0))`,
  multipoint: (at) => `MULTIPOINT(0 0, ${at}.25 ${at + 1}.5)`,
  multilinestring: (at) => `MULTILINESTRING((0 0, ${at}.25 ${at + 1}.5))`,
  multipolygon: (at) => `MULTIPOLYGON(((0 0, ${at + 1} 0, ${at + 1} 1, 0 0)))`,
  geometrycollection: (at) => `GEOMETRYCOLLECTION(POINT(${at}.25 ${at + 1}.5))`,
};

/** Rows whose values are told apart. */
const rows = [0, 1, 2, 3, 4, 5];

/**
 * SQL expressions for values of a column, best first, each once; more of them where checks decide. Empty: no value of its
 * type is known. Pure.
 */
export function valuesOf(
  column: FillColumn,
  table: string,
  reach: Reach,
  checks: readonly string[],
): readonly string[] {
  const salt = `${table}.${column.name}`;
  const seed = hash(salt);
  const { type } = column;
  if (/^(?:tiny|medium|long)?blob$|^(?:var)?binary$/.test(type)) {
    const length = Math.min(column.length ?? 32, reach === 'full' ? 64 : 12);
    return rows.map((row) => `X'${hexOf(`${salt}:${row}`, length)}'`);
  }
  const shape = shapes[type === 'geomcollection' ? 'geometrycollection' : type];
  if (shape !== undefined) return rows.map((row) => `ST_GeomFromText('${shape((seed % 80) + row)}')`);
  if (type === 'year') return rows.map((row) => String(1980 + (seed % 30) + row));
  if (type === 'enum' || type === 'set') {
    const labels = labelsOf(column.fullType);
    return labels.map((_, at) => quoteLiteral(labels[(seed + at) % labels.length] ?? ''));
  }
  if (column.fullType.startsWith('tinyint(1)')) return rows.slice(0, 2).map((row) => String((seed + row) % 2));
  // MariaDB's JSON is a text with this check.
  const isJson = checks.some((check) => /\bjson_valid\s*\(/i.test(check)) && type.endsWith('text');
  const name = isJson ? 'jsonb' : type === 'tinyint' ? 'int2' : sameValues[type];
  if (name === undefined) return [];
  const types = new Map<string, TypeFacts>([[name, { name, isBuiltIn: true, kind: 'base' }]]);
  const limited = column.countsUp ? 'small' : least(reach, reachAtMost[type] ?? 'full');
  const choice = { types, known: new Map<string, readonly string[]>(), reach: limited };
  const request = { type: name, modifier: modifierOf(column), salt, hints: hintsOf(checks) };
  const values =
    checks.length > 0
      ? candidateValues(choice, request)
      : rows.flatMap((row) => distinctValue(choice, request, row) ?? []);
  const fitting = type === 'tinyint' ? values.filter((value) => Math.abs(Number(value)) <= 127) : values;
  return [...new Set(fitting)].map((value) => literalOf(type, value));
}

function least(a: Reach, b: Reach): Reach {
  const order: readonly Reach[] = ['full', 'modest', 'small'];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

function literalOf(type: string, value: string): string {
  if (type === 'bit') return `b'${value}'`;
  if (type === 'inet4') return quoteLiteral(value.replace(/\/.*/, ''));
  if (type === 'inet6') return quoteLiteral(value.includes(':') ? value : `::ffff:${value.replace(/\/.*/, '')}`);
  return quoteLiteral(value);
}

/** As PostgreSQL would write the same length or precision (numeric.c, numerictypmodin). */
function modifierOf({ type, length, precision, scale }: FillColumn): number {
  if (type === 'char' || type === 'varchar') return (length ?? 0) + 4;
  if (type === 'decimal') return (((precision ?? 10) << 16) | (scale ?? 0)) + 4;
  return type === 'bit' ? (precision ?? 1) : -1;
}

function hexOf(salt: string, length: number): string {
  return Array.from({ length }, (_, at) => (hash(`${salt}:${at}`) % 256).toString(16).padStart(2, '0')).join('');
}

/** Of "enum('a','b''c')". */
function labelsOf(fullType: string): readonly string[] {
  return [...fullType.matchAll(/'((?:[^']|'')*)'/g)].map(([, label]) => (label ?? '').replaceAll("''", "'"));
}
