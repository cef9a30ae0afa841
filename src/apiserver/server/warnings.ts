/**
 * The `Warning:` headers of one answer: each text once, in order, all of them cut when together they are too long.
 * Upstream: apiserver pkg/endpoints/filters/warning.go, apimachinery pkg/util/net (NewWarningHeader); RFC 7234 5.5.
 */
import { utf8Header } from '../http/header-values.ts';

const totalCodePoints = 4 * 1024;
const itemCodePoints = 256;

/** Go's unicode.IsControl: texts with such characters are not sent. */
const control = /\p{Cc}/u;

interface Item {
  readonly text: string;
  readonly size: number;
}

function itemOf(text: string): Item {
  return { text, size: [...text].length };
}

function cut(item: Item): Item {
  if (item.size <= itemCodePoints) return item;
  return { text: [...item.text].slice(0, itemCodePoints).join(''), size: itemCodePoints };
}

const headerOf = ({ text }: Item): string => utf8Header(`299 - "${text.replace(/["\\]/g, '\\$&')}"`);
const isSendable = ({ text }: Item): boolean => !control.test(text) && text.isWellFormed();

export class Warnings {
  readonly #items = new Map<string, Item>();

  /** Empty texts and those that were told before are left out. */
  add(text: string): void {
    if (text !== '' && !this.#items.has(text)) this.#items.set(text, itemOf(text));
  }

  /** One value a header line. */
  headers(): string[] {
    const items = [...this.#items.values()];
    const sent = items.filter(isSendable);
    const total = sent.reduce((sum, { size }) => sum + size, 0);
    if (total <= totalCodePoints) return sent.map(headerOf);
    const lines: string[] = [];
    let written = 0;
    for (const item of items.map(cut)) {
      if (written >= totalCodePoints) break;
      if (!isSendable(item)) continue;
      written += item.size;
      lines.push(headerOf(item));
    }
    return lines;
  }
}
