/**
 * A migration version as one history tool understands it. Plain and serialisable; how text becomes a
 * key and how two versions order is the history adapter's business (VersionScheme).
 */
export interface Version {
  /** As written in the history table or the file name, after the tool's own normalisation ("002", "1.2"). */
  readonly text: string;
  /** Canonical form: two versions are the same version exactly if their keys are equal ("2", "1.2"). */
  readonly key: string;
}

export interface VersionScheme {
  /** What a version looks like, a sentence for a person. */
  readonly form: string;
  /** A version as it is stored or written out; undefined for text that the tool would not accept as one. */
  parse(text: string): Version | undefined;
  /**
   * Understands what people write: the version itself, or a shorter text that means one of these alone (the digits that a file
   * name begins with). Undefined for text that parse refuses as well.
   */
  finder(known: readonly Version[]): (text: string) => Version | undefined;
  /** Negative, zero or positive, as for Array.prototype.sort. Zero exactly if the keys are equal. */
  compare(a: Version, b: Version): number;
}
