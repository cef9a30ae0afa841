/** Comma-separated values as Go's encoding/csv reads them (RFC 4180): quoted fields may hold commas and newlines. */

export class CsvError extends Error {
  override readonly name = 'CsvError';
}

/** Empty lines are left out; records may differ in length. Throws a CsvError with line and column. */
export function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  const reader = new Reader(text);
  for (let record = reader.next(); record; record = reader.next()) records.push(record);
  return records;
}

class Reader {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text.replace(/\r\n/g, '\n');
  }

  next(): string[] | undefined {
    while (this.#text[this.#at] === '\n') this.#newline();
    if (this.#at >= this.#text.length) return undefined;
    const fields: string[] = [];
    for (;;) {
      fields.push(this.#text[this.#at] === '"' ? this.#quoted() : this.#plain());
      if (this.#text[this.#at] !== ',') break;
      this.#at++;
    }
    if (this.#at < this.#text.length) this.#newline();
    return fields;
  }

  #newline(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #plain(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !',\n'.includes(this.#text[this.#at]!)) {
      if (this.#text[this.#at] === '"') throw this.#error('bare " in non-quoted-field');
      this.#at++;
    }
    return this.#text.slice(start, this.#at);
  }

  #quoted(): string {
    let field = '';
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined) throw this.#error('extraneous or missing " in quoted-field');
      if (char === '"') {
        if (this.#text[this.#at + 1] !== '"') break;
        this.#at++;
      }
      field += char;
      if (char === '\n' && this.#at + 1 < this.#text.length) {
        this.#line++;
        this.#lineStart = this.#at + 1;
      }
    }
    this.#at++;
    const after = this.#text[this.#at];
    if (after !== undefined && after !== ',' && after !== '\n') {
      throw this.#error('extraneous or missing " in quoted-field');
    }
    return field;
  }

  #error(what: string): CsvError {
    return new CsvError(`parse error on line ${this.#line}, column ${this.#at - this.#lineStart + 1}: ${what}`);
  }
}
