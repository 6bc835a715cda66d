const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** PostgreSQL keeps its timeouts in a signed 32-bit number of milliseconds. */
const longest = 2_147_483_647;

/** Milliseconds of "500ms", "5s", "2min", "1.5h" or "0"; undefined for anything else, and for more than 24 days. */
export function parseDuration(text: string): number | undefined {
  if (text.trim() === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h)$/.exec(text.trim());
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) return undefined;
  const milliseconds = Math.round(Number(match[1]) * unit);
  return milliseconds <= longest ? milliseconds : undefined;
}
