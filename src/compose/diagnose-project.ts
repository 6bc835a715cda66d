import { diagnose } from '../doctor/diagnose.js';
import type { Diagnosis } from '../doctor/check.js';
import { connect, loadProjectConfig, toolboxFor, type OpenOptions } from './open-project.js';

export interface DiagnoseOptions extends OpenOptions {
  /** Cancels the question that is being asked; what has not been asked is then not checked. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the clock of this machine. */
  readonly now?: (() => Date) | undefined;
}

/** Looks at everything that a rollback of this project needs. Changes nothing; never throws for what it looks at. */
export async function diagnoseProject(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  return diagnose({
    toolboxFor,
    loadConfig: () => loadProjectConfig(options),
    connect,
    now: options.now ?? ((): Date => new Date()),
    signal: options.signal,
  });
}
