/** Which metadata lock excludes which (MySQL source, sql/mdl.cc, "MDL_object_lock"; MariaDB has the same). Symmetric. */
const excluded: Readonly<Record<string, readonly string[]>> = {
  SHARED: [],
  'SHARED HIGH PRIO': [],
  'SHARED READ': ['SHARED NO READ WRITE'],
  'SHARED WRITE': ['SHARED READ ONLY', 'SHARED NO WRITE', 'SHARED NO READ WRITE'],
  'SHARED WRITE LOW PRIO': ['SHARED READ ONLY', 'SHARED NO WRITE', 'SHARED NO READ WRITE'],
  'SHARED UPGRADABLE': ['SHARED UPGRADABLE', 'SHARED NO WRITE', 'SHARED NO READ WRITE'],
  'SHARED READ ONLY': ['SHARED WRITE', 'SHARED WRITE LOW PRIO', 'SHARED NO READ WRITE'],
  'SHARED NO WRITE': [
    'SHARED WRITE',
    'SHARED WRITE LOW PRIO',
    'SHARED UPGRADABLE',
    'SHARED NO WRITE',
    'SHARED NO READ WRITE',
  ],
  'SHARED NO READ WRITE': [
    'SHARED READ',
    'SHARED WRITE',
    'SHARED WRITE LOW PRIO',
    'SHARED UPGRADABLE',
    'SHARED READ ONLY',
    'SHARED NO WRITE',
    'SHARED NO READ WRITE',
  ],
};

/** Needed to drop a table, and at some moment of every change of one. */
export const dropLevel = 'EXCLUSIVE';

/** Whether one session cannot have `one` while another has `other` on the same table. EXCLUSIVE, and what is not known, excludes all. */
export function excludes(one: string, other: string): boolean {
  return excluded[other] === undefined || (excluded[one]?.includes(other) ?? true);
}

/** "SHARED_READ" (performance_schema) and "MDL_SHARED_READ" (MariaDB's plugin) → "SHARED READ". */
export function levelOf(mode: string): string {
  return mode.replace(/^MDL_/, '').replaceAll('_', ' ');
}
