import { FlybackError, type SourceLocation } from './error.js';
import type { Finding } from './finding.js';

type Redact = (text: string) => string;

/** The finding without secrets, whatever a server, a parser or a line of a script brought into it. */
export function redactFinding(finding: Finding, redact: Redact): Finding {
  const { message, hint, subject, location } = finding;
  return {
    ...finding,
    message: redact(message),
    subject: redact(subject),
    ...(hint === undefined ? {} : { hint: redact(hint) }),
    ...(location === undefined ? {} : { location: redactLocation(location, redact) }),
  };
}

/** The same error without secrets in anything that is printed; its cause is left out, because it may be printed too. */
export function redactError(error: FlybackError, redact: Redact): FlybackError {
  const { code, message, hint, location, findings, serverCode, condition } = error;
  return new FlybackError(code, redact(message), {
    hint: hint === undefined ? undefined : redact(hint),
    location: location === undefined ? undefined : redactLocation(location, redact),
    findings: findings.map((finding) => redactFinding(finding, redact)),
    serverCode,
    condition,
  });
}

function redactLocation(location: SourceLocation, redact: Redact): SourceLocation {
  return { ...location, lineText: redact(location.lineText) };
}
