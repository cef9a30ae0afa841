/** What the rows of many kinds share. Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go. */
import { humanDuration, labelSelectorAsSelector, parseTimeMs, selectorFromSet } from '#apimachinery';
import type { Container, LabelSelector } from '../types.ts';

/** One cell, of the type that its column names. */
export type Cell = string | number | bigint | boolean | null;

/** Says of a row that its object has run its course. */
export interface RowCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** One row of a table, without its object. */
export interface Row {
  readonly cells: readonly Cell[];
  readonly conditions?: readonly RowCondition[];
}

/** Makes the row of an object in its storage version. Pure; ages are reckoned from `nowMs`. */
export type RowOf = (object: never, nowMs: number) => Row;

/** Time since `timestamp` in words, `<unknown>` when there is none. */
export function age(timestamp: string | null | undefined, nowMs: number): string {
  return timestamp ? humanDuration(nowMs - parseTimeMs(timestamp)) : '<unknown>';
}

/** The row of these cells. */
export function row(...cells: Cell[]): Row {
  return { cells };
}

/** `a=b,c=d` with sorted keys, `<none>` when empty. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return selectorFromSet(labels).toString() || '<none>';
}

/** A label selector as kubectl takes it, `<none>` when empty, `<error>` when wrong. */
export function selectorText(selector: LabelSelector | undefined): string {
  try {
    return labelSelectorAsSelector(selector as never).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

/** Names and images of containers, each joined by commas. */
export function containerCells(containers: readonly Container[] | undefined): [string, string] {
  const all = containers ?? [];
  return [all.map(each => each.name).join(','), all.map(each => each.image ?? '').join(',')];
}

/** The first `max` of a list, and how many more there are; `<unset>` when there are none. */
export function firstOf(all: readonly string[], max: number): string {
  const text = all.slice(0, max).join(',');
  if (all.length > max) return `${text} + ${all.length - max} more...`;
  return text || '<unset>';
}
