/**
 * The annotation in which client-side apply keeps what it applied: kept in step by server-side apply, and read once, when
 * kubectl goes over to that. Upstream: apimachinery pkg/util/managedfields/internal/{lastappliedmanager,lastappliedupdater}.go.
 */
import { writeSorted } from '../json/write.ts';
import type { KubeObject } from '../meta.ts';
import { maxAnnotationsBytes } from '../validation/object-meta.ts';
import { compareValues, fieldSetOf } from './compare.ts';
import { type FieldSet, subtractSet } from './field-set.ts';
import { isMap, type JsonMap, type Typed } from './typed.ts';
import { validateTyped } from './validate.ts';

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Keeps the annotation of client-side apply in step, where there is one. */
export function withLastApplied(object: KubeObject, config: JsonMap): KubeObject {
  const annotations = object.metadata.annotations;
  if (!annotations?.[lastAppliedAnnotation]) return object;
  const metadata = { ...(config['metadata'] as JsonMap) };
  if (isMap(metadata['annotations'])) {
    const { [lastAppliedAnnotation]: _, ...rest } = metadata['annotations'];
    metadata['annotations'] = rest;
    if (Object.keys(rest).length === 0) delete metadata['annotations'];
  }
  const text = `${writeSorted({ ...config, metadata })}\n`;
  const { [lastAppliedAnnotation]: _, ...others } = annotations;
  let sizeBytes = Buffer.byteLength(lastAppliedAnnotation) + Buffer.byteLength(text);
  for (const [key, value] of Object.entries(others)) sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  const next = sizeBytes > maxAnnotationsBytes ? others : { ...annotations, [lastAppliedAnnotation]: text };
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

/** What the annotation names and the object still has as it was named; undefined where there is none that is valid. */
export function lastAppliedSet(live: KubeObject, { value: typed, node, apiVersion }: Typed): FieldSet | undefined {
  const text = live.metadata.annotations?.[lastAppliedAnnotation];
  if (!text) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    if (!isMap(value) || value['apiVersion'] !== apiVersion || validateTyped(node, value).length > 0) return undefined;
    const { added, modified, removed } = compareValues(node, value, typed);
    return subtractSet(subtractSet(subtractSet(fieldSetOf(node, value), modified), added), removed);
  } catch {
    return undefined;
  }
}
