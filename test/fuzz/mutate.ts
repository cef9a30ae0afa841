/** Changes of objects that keep most of their shape, and of bytes that keep most of their order. */
import type { Dice } from './dice.ts';
import { strangeText, strangeValue } from './strange-values.ts';

type Holder = Record<string, unknown> | unknown[];

interface Place {
  readonly holder: Holder;
  readonly key: string | number;
}

function places(value: unknown, found: Place[]): Place[] {
  if (value === null || typeof value !== 'object') return found;
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const key of keys) {
    const holder = value as Holder;
    found.push({ holder, key });
    if (found.length < 5000) places((holder as Record<string, unknown>)[key], found);
  }
  return found;
}

function read({ holder, key }: Place): unknown {
  return (holder as Record<string | number, unknown>)[key];
}

function set({ holder, key }: Place, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function mutateOnce(root: object, dice: Dice): void {
  const all = places(root, []);
  if (all.length === 0) return;
  const place = dice.pick(all);
  const { holder, key } = place;
  const value = (holder as Record<string | number, unknown>)[key];
  switch (dice.below(8)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key as string];
      break;
    case 1:
      set(place, structuredClone(read(dice.pick(all))));
      break;
    case 2:
      if (Array.isArray(holder))
        holder.push(...Array.from({ length: dice.pick([1, 2, 60]) }, () => structuredClone(value)));
      else set({ holder, key: strangeText(dice) }, structuredClone(value));
      break;
    case 3:
      if (typeof value === 'string' && value !== '') {
        const at = dice.below(value.length);
        set(place, value.slice(0, at) + strangeText(dice) + value.slice(at));
      } else set(place, strangeValue(dice));
      break;
    case 4:
      set({ holder, key: Array.isArray(holder) ? holder.length : strangeText(dice) }, strangeValue(dice));
      break;
    default:
      set(place, strangeValue(dice));
  }
}

/** A copy of `object` with a few things wrong. What it holds of metadata.name is `name` most of the time. */
export function mutated(object: object, dice: Dice, name: string): Record<string, unknown> {
  const copy = structuredClone(object) as Record<string, unknown>;
  const metadata = copy['metadata'];
  if (metadata && typeof metadata === 'object') {
    for (const field of ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'managedFields']) {
      if (dice.chance(0.8)) delete (metadata as Record<string, unknown>)[field];
    }
    for (const field of ['namespace', 'generateName', 'finalizers', 'ownerReferences', 'deletionGracePeriodSeconds']) {
      if (dice.chance(0.8)) delete (metadata as Record<string, unknown>)[field];
    }
    (metadata as Record<string, unknown>)['name'] = name;
  }
  for (let at = dice.below(4); at > 0; at--) mutateOnce(copy, dice);
  return copy;
}

/** Bytes with some flipped, cut, repeated or put in. */
export function mutatedBytes(bytes: Uint8Array, dice: Dice): Buffer {
  let out = Buffer.from(bytes);
  for (let at = dice.below(3) + 1; at > 0 && out.length > 0; at--) {
    const from = dice.below(out.length);
    const to = Math.min(out.length, from + dice.below(40));
    switch (dice.below(6)) {
      case 0:
        out[from] = dice.below(256);
        break;
      case 1:
        out = out.subarray(0, from);
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, from), out.subarray(to)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, to), out.subarray(from)]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, from), Buffer.from(strangeText(dice)), out.subarray(from)]);
        break;
      default:
        // A length or a varint without end.
        out = Buffer.concat([out.subarray(0, from), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), out.subarray(from)]);
    }
  }
  return out;
}
