/**
 * JSON that goes into an event as the text it is: made compact as Go's encoder makes raw messages, and without field
 * owners where the policy leaves them out. Numbers and escapes stay as they were written.
 * Upstream: Go's encoding/json compact, apiserver pkg/audit/request.go copyWithoutManagedFields.
 */

import { escapeHtml } from '#apimachinery';

/** Undefined: it is no JSON. */
export function compactJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const compact = text.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, (_, quoted: string | undefined) => quoted ?? '');
  return escapeHtml(compact);
}

/** What of a value is left out: members, and what is left out of members and elements. */
interface Cut {
  readonly members?: ReadonlySet<string>;
  readonly of?: Readonly<Record<string, Cut>>;
  readonly each?: Cut;
}

const ofObject: Cut = { of: { metadata: { members: new Set(['managedFields']) } } };
const ofList: Cut = { of: { ...ofObject.of, items: { each: ofObject } } };
const ofTable: Cut = { of: { rows: { each: { of: { object: ofObject } } } } };

/** Valid JSON of an object, a list or a Table, without the field owners of all objects in it. */
export function withoutManagedFields(json: string): string {
  if (!json.includes('"managedFields"')) return json;
  return new Cutter(json).cut(json.startsWith('{"kind":"Table"') ? ofTable : ofList);
}

class Cutter {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  cut(cut: Cut): string {
    return this.#value(cut);
  }

  /** The value at hand, less what is cut; leaves behind it. */
  #value(cut: Cut | undefined): string {
    const begin = this.#at;
    const open = this.#text[begin];
    if (cut && open === '{') return this.#object(cut);
    if (cut?.each && open === '[') return this.#list(cut.each);
    this.#skip();
    return this.#text.slice(begin, this.#at);
  }

  #object({ members, of }: Cut): string {
    const parts: string[] = [];
    for (this.#at++; this.#text[this.#at] !== '}'; ) {
      if (this.#text[this.#at] === ',') this.#at++;
      const begin = this.#at;
      this.#skipString();
      const key = this.#text.slice(begin, this.#at);
      const name = key.slice(1, -1);
      this.#at++;
      const value = this.#value(of && Object.hasOwn(of, name) ? of[name] : undefined);
      if (!members?.has(name)) parts.push(`${key}:${value}`);
    }
    this.#at++;
    return `{${parts.join(',')}}`;
  }

  #list(each: Cut): string {
    const parts: string[] = [];
    for (this.#at++; this.#text[this.#at] !== ']'; ) {
      if (this.#text[this.#at] === ',') this.#at++;
      parts.push(this.#value(each));
    }
    this.#at++;
    return `[${parts.join(',')}]`;
  }

  #skip(): void {
    let depth = 0;
    do {
      const char = this.#text[this.#at]!;
      if (char === '"') this.#skipString();
      else {
        if (char === '{' || char === '[') depth++;
        else if (char === '}' || char === ']') depth--;
        this.#at++;
      }
    } while (depth > 0 || !/[,}\]]|^$/.test(this.#text[this.#at] ?? ''));
  }

  #skipString(): void {
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) if (this.#text[this.#at] === '\\') this.#at++;
    this.#at++;
  }
}
