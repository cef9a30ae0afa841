/**
 * Fields of custom resources that selectors may name. Upstream: apiextensions-apiserver
 * pkg/registry/customresource/strategy.go selectableFields.
 */
import type { SelectableFields } from '#api/kind';
import type { CustomResourceDefinition } from '#api/types';
import { goPrint, type KubeObject } from '#apimachinery';

type Version = CustomResourceDefinition['spec']['versions'][number];

export type SelectedFields = SelectableFields<KubeObject>;

/** Undefined when the version has none. Paths have neither brackets nor anything but plain steps. */
export function selectedFields({ selectableFields = [] }: Version): SelectedFields | undefined {
  if (!selectableFields?.length) return undefined;
  const names = selectableFields.map(({ jsonPath }) => jsonPath.replace(/^\./, ''));
  return {
    names,
    read: object => Object.fromEntries(names.map(name => [name, textAt(object, name.split('.'))])),
  };
}

function textAt(object: KubeObject, steps: readonly string[]): string {
  let value: unknown = object;
  for (const step of steps) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return '';
    value = (value as Record<string, unknown>)[step];
  }
  return value === null || value === undefined ? '' : goPrint(value);
}
