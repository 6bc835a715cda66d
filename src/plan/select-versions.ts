import type { HistoryAdapter } from '../adapter/history.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { findVersion } from '../history/find-version.js';
import type { History, InterpretedEntry } from '../history/history.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { Target } from './plan.js';

/** The rows to take back, newest rank first, and what is unusual about the choice. */
export interface Selection {
  readonly rows: readonly InterpretedEntry[];
  readonly hazards: readonly Finding[];
}

/** What the choice depends on in the migration tool. */
export type SelectingTool = Pick<HistoryAdapter, 'versions' | 'words' | 'holeAt'>;

/**
 * Chooses the rows that a target means. Pure.
 *
 * Only a suffix of the applied versions can be taken back, because the tools fail on a hole in the middle or fill it by
 * themselves; `only` is the explicit exception. The order of work is by installed rank,
 * newest first: later migrations may rely on earlier ones whatever their version numbers say.
 *
 * Throws FlybackError: version-invalid, version-unknown, plan-refused.
 */
export function selectVersions(history: History, target: Target, tool: SelectingTool): Selection {
  const { versions } = tool;
  const broken = history.findings.filter((finding) => finding.severity === 'error');
  if (broken.length > 0) {
    throw new FlybackError('plan-refused', `The history table ${tableText(history)} cannot be relied on.`, {
      hint: `Repair what the findings name (${tool.words.repair}), then plan again.`,
      findings: broken,
    });
  }
  const chosen = choose(history, target, versions);
  const hazards: Finding[] = [];
  if (target.kind !== 'only') {
    const failed = chosen.filter((row) => row.state === 'failed');
    if (failed.length > 0) {
      const text = failed.map((row) => rowVersion(row).text).join(', ');
      throw new FlybackError(
        'plan-refused',
        `Version ${text} is marked as failed in the history: part of it may have happened, and a rollback must be written for that.`,
        {
          hint: `Take it back by name once its script tolerates partial effects: flyback rollback --only ${rowVersion(failed[0] as InterpretedEntry).text}`,
        },
      );
    }
  }
  const lowest = chosen.reduce<Version | undefined>((low, row) => {
    const version = rowVersion(row);
    return low === undefined || versions.compare(version, low) < 0 ? version : low;
  }, undefined);
  const chosenRanks = new Set(chosen.map((row) => row.entry.rank));
  const rows = [...chosen].sort((a, b) => b.entry.rank - a.entry.rank);
  if (target.kind === 'only' && lowest !== undefined) {
    const above = history.applied.filter(
      (row) => !chosenRanks.has(row.entry.rank) && versions.compare(rowVersion(row), lowest) > 0,
    );
    if (above.length > 0) {
      const hole = tool.holeAt(lowest);
      if (!hole.possible) {
        throw new FlybackError('plan-refused', hole.words, {
          hint: `Take back everything down to ${lowest.text}, newest first.`,
        });
      }
      hazards.push({
        code: 'middle-version',
        severity: 'warning',
        subject: lowest.text,
        message: `${above.length === 1 ? `Version ${rowVersion(above[0] as InterpretedEntry).text} stays` : `${above.length} higher versions stay`} applied above ${lowest.text}: afterwards ${hole.words}.`,
        hint: `Take back everything down to it instead: flyback rollback --to the version before ${lowest.text}.`,
      });
    }
  }
  const lowestRank = Math.min(...rows.map((row) => row.entry.rank));
  const laterApplied = history.applied.filter((row) => row.entry.rank > lowestRank && !chosenRanks.has(row.entry.rank));
  for (const row of target.kind === 'only' ? [] : laterApplied) {
    hazards.push({
      code: 'applied-out-of-order',
      severity: 'warning',
      subject: rowVersion(row).text,
      message: `Version ${rowVersion(row).text} stays although it was applied after a version that goes; it may rely on what that version made.`,
      hint: 'Read both scripts, or take both back.',
    });
  }
  return { rows, hazards };
}

function choose(history: History, target: Target, versions: VersionScheme): readonly InterpretedEntry[] {
  const { applied } = history;
  if (applied.length === 0) {
    throw new FlybackError(
      'plan-refused',
      `The history ${tableText(history)} has no applied version that could be taken back.`,
      {
        hint:
          history.floor === undefined
            ? 'Nothing needs to be done.'
            : `The baseline ${history.floor.text} and everything below it stays.`,
      },
    );
  }
  switch (target.kind) {
    case 'all':
      return applied;
    case 'steps':
      if (!Number.isSafeInteger(target.steps) || target.steps < 1) {
        throw new FlybackError('usage-invalid', `--steps ${target.steps} is not a positive whole number.`, {
          hint: 'Use --steps 1 for the newest version.',
        });
      }
      if (target.steps > applied.length) {
        throw new FlybackError(
          'plan-refused',
          `--steps ${target.steps} is more than the ${applied.length} ${applied.length === 1 ? 'version' : 'versions'} that can be taken back${history.floor === undefined ? '' : ` above the baseline ${history.floor.text}`}.`,
          {
            hint: `Use --steps ${applied.length} or --all if that is what you mean.`,
          },
        );
      }
      return applied.slice(-target.steps);
    case 'to': {
      const wanted = findVersion(target.version, versions, [
        ...applied.map(rowVersion),
        ...(history.floor === undefined ? [] : [history.floor]),
      ]);
      const { floor } = history;
      if (floor !== undefined && versions.compare(wanted, floor) < 0) {
        throw new FlybackError(
          'plan-refused',
          `Version ${wanted.text} lies below the baseline ${floor.text}: the history knows nothing of what happened before it.`,
          {
            hint: `The lowest possible target is the baseline itself: --to ${floor.text}`,
          },
        );
      }
      const stays = applied.some((row) => rowVersion(row).key === wanted.key) || floor?.key === wanted.key;
      if (!stays) throw unknownVersion(wanted, history, versions, 'is not applied, so it cannot stay applied');
      const last = applied.findIndex((row) => rowVersion(row).key === wanted.key);
      const goes =
        last >= 0 ? applied.slice(last + 1) : applied.filter((row) => versions.compare(rowVersion(row), wanted) > 0);
      if (goes.length === 0) {
        throw new FlybackError(
          'plan-refused',
          `Version ${wanted.text} is already the newest applied version: there is nothing to take back.`,
          {
            hint: `To take ${wanted.text} itself back, use --only ${wanted.text} or --steps 1.`,
          },
        );
      }
      return goes;
    }
    case 'only': {
      const wanted = findVersion(target.version, versions, [
        ...applied.map(rowVersion),
        ...(history.floor === undefined ? [] : [history.floor]),
      ]);
      const row = applied.find((candidate) => rowVersion(candidate).key === wanted.key);
      if (row === undefined) {
        const { floor } = history;
        if (floor !== undefined && versions.compare(wanted, floor) <= 0) {
          throw new FlybackError(
            'plan-refused',
            `Version ${wanted.text} is covered by the baseline ${floor.text}: the history has no row of its own for it.`,
            {
              hint: 'Write a forward migration instead.',
            },
          );
        }
        throw unknownVersion(wanted, history, versions, 'is not applied');
      }
      return [row];
    }
  }
}

function unknownVersion(wanted: Version, history: History, versions: VersionScheme, why: string): FlybackError {
  const below = history.applied.filter((row) => versions.compare(rowVersion(row), wanted) < 0).at(-1);
  const above = history.applied.find((row) => versions.compare(rowVersion(row), wanted) > 0);
  const near = [below, above].filter((row) => row !== undefined).map((row) => rowVersion(row).text);
  return new FlybackError('version-unknown', `Version ${wanted.text} ${why}.`, {
    hint:
      near.length === 0
        ? 'flyback status lists the applied versions.'
        : `The nearest applied ${near.length === 1 ? 'version is' : 'versions are'} ${near.join(' and ')}; flyback status lists all.`,
  });
}

function rowVersion(row: InterpretedEntry): Version {
  return row.version ?? { text: row.entry.versionText ?? '', key: row.entry.versionText ?? '' };
}

function tableText(history: History): string {
  return `${history.table.schema}.${history.table.name}`;
}
