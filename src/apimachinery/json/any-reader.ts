/**
 * Reads JSON of no type, as Go decodes it into an `any`; for values of a type see typed-reader.ts.
 * Upstream: sigs.k8s.io/json internal/golang/encoding/json/{decode,kubernetes_patch}.go.
 */
import { goQuote } from '../field.ts';
import { InputError } from '../input-error.ts';
import { exactNumber } from './number-text.ts';
import { ReadPosition } from './read-position.ts';
import { JsonScanner } from './scanner.ts';
import { setOwn } from './set-own.ts';

/** Upstream keeps no more strict errors than this. */
const maxStrictErrors = 100;

export class AnyReader extends JsonScanner {
  /** What strict validation refuses, in order and each once. */
  readonly strictErrors: string[] = [];
  /** Every number is kept as its text where that counts (see number-text.ts). */
  exact = false;
  protected readonly position: ReadPosition = new ReadPosition();
  /** Above zero within values that Go reads with a decoder that is not strict. */
  protected lenient = 0;

  /** Reads any value. Duplicates are reported when `strict`; the last one counts. */
  any(code: number, strict: boolean): unknown {
    switch (code) {
      case 34:
        return this.string();
      case 123:
        return this.#anyObject(strict);
      case 91:
        return this.#anyList(strict);
      case 116:
        this.literal('true');
        return true;
      case 102:
        this.literal('false');
        return false;
      case 110:
        this.literal('null');
        return null;
      default:
        if (!(code === 45 || (code >= 48 && code <= 57))) this.unexpected('looking for beginning of value');
        return this.exact ? exactNumber(this.number()) : anyNumber(this.number());
    }
  }

  #anyObject(strict: boolean): unknown {
    const out: Record<string, unknown> = {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.position.depth;
    do {
      const key = this.key();
      if (strict && Object.hasOwn(out, key)) this.strict('duplicate', key);
      this.position.enter(top, key, undefined);
      setOwn(out, key, this.any(this.peek(), strict));
      this.position.leaveTo(top);
    } while (this.more(125, 'after object key:value pair'));
    this.leave();
    return out;
  }

  #anyList(strict: boolean): unknown {
    const out: unknown[] = [];
    this.enter();
    if (this.peek() === 93) {
      this.leave();
      return out;
    }
    const top = this.position.depth;
    do {
      this.position.enter(top, out.length, undefined);
      out.push(this.any(this.peek(), strict));
    } while (this.more(93, 'after array element'));
    this.position.leaveTo(top);
    this.leave();
    return out;
  }

  /** Tells of the member `key` of the value that is being read. */
  protected strict(kind: 'unknown' | 'duplicate', key: string): void {
    if (this.lenient > 0 || this.strictErrors.length >= maxStrictErrors) return;
    const text = `${kind} field ${goQuote(this.position.pathOf(key))}`;
    if (!this.strictErrors.includes(text)) this.strictErrors.push(text);
  }
}

/** A number where any type may stand: exact when it is an integer of 64 bits, a double otherwise. */
function anyNumber(text: string): number | bigint {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  if (/^-?[0-9]+$/.test(text)) {
    const exact = BigInt(text);
    if (BigInt.asIntN(64, exact) === exact) return exact;
  }
  if (!Number.isFinite(value)) {
    throw new InputError('json', `json: cannot unmarshal number ${text} into Go value of type float64`);
  }
  return value;
}
