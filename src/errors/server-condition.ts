/**
 * What a server's refusal comes down to, whatever its own code for it:
 * - lock-timeout: it did not get a lock in the time it may wait; deadlock: it was chosen to give way
 * - cancelled: somebody, or a limit of time, ended the statement
 * - transaction-refused: the statement runs outside of a transaction only; commits-by-itself: a routine wanted to commit
 * - lock-table-full: no room for more locks
 * - value-unsuited: a value means nothing to what reads it; value-unfit: its type has no room for it
 */
export type ServerCondition =
  | 'lock-timeout'
  | 'deadlock'
  | 'cancelled'
  | 'transaction-refused'
  | 'commits-by-itself'
  | 'dependents-exist'
  | 'table-missing'
  | 'column-missing'
  | 'object-missing'
  | 'object-exists'
  | 'key-taken'
  | 'constraint-violated'
  | 'privilege-missing'
  | 'disk-full'
  | 'lock-table-full'
  | 'value-unsuited'
  | 'value-unfit';
