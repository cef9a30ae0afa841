/** A named format as a value; costs look at the length of its regular expression. */
import type { Type } from '../check/types.ts';
import { ObjectValue } from '../values/value.ts';

export class FormatValue extends ObjectValue {
  readonly type: Type;
  readonly name: string;
  readonly regexSize: number;
  /** What is wrong with a text. */
  readonly faults: (text: string) => string[];

  constructor(type: Type, name: string, faults: (text: string) => string[], regexSize: number) {
    super();
    this.type = type;
    this.name = name;
    this.faults = faults;
    this.regexSize = regexSize;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}
