/** Requests around an object: every verb, encoding, patch and option, most of them a little wrong. */

import { builtinTypes } from '#api/tables';
import { writeProtobufObject, writeYaml } from '#apimachinery';
import type { Dice } from './dice.ts';
import { mutated, mutatedBytes } from './mutate.ts';
import { objectOf, type Subject } from './objects.ts';
import { strangeText, strangeValue } from './strange-values.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly query: ReadonlyArray<readonly [string, string]>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export const namespace = 'fuzz';
const names = ['a', 'b', 'c', 'web-1'];

const jsonType = 'application/json';
const protobufType = 'application/vnd.kubernetes.protobuf';
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const accepts = [
  jsonType,
  'application/yaml',
  protobufType,
  '*/*',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v9;g=x',
  'text/html',
  ';;;q=x,/',
];
const options: Readonly<Record<string, readonly string[]>> = {
  dryRun: ['All', 'None', ''],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'x'],
  fieldManager: ['me', 'a'.repeat(200), '\u0001'],
  force: ['true', 'false', 'x'],
  labelSelector: ['a=b', 'a in (b,c),!d', 'a in (', '=,=', 'a notin ()'],
  fieldSelector: ['metadata.name=a', 'spec.nodeName=x', 'a\\,b=c', '==', 'metadata.namespace!=x'],
  resourceVersion: ['0', '1', '5', '-1', 'x', '01'],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'x'],
  limit: ['1', '0', '-1', 'x', '500'],
  continue: ['eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0', 'x', '!', '{}'],
  timeoutSeconds: ['0', '1', '-1', 'x'],
  watch: ['1', 'true', 'false', ''],
  allowWatchBookmarks: ['true', '0'],
  sendInitialEvents: ['true', 'false'],
  includeObject: ['None', 'Metadata', 'Object', 'x'],
  pretty: ['1', 'true', 'x'],
  propagationPolicy: ['Orphan', 'Foreground', 'Background', 'x'],
  gracePeriodSeconds: ['0', '-1', '5', 'x'],
  orphanDependents: ['true', 'x'],
  timeout: ['1s', '0', 'x', '1e9h'],
};

function queryOf(dice: Dice): Array<[string, string]> {
  const all = Object.keys(options);
  return Array.from({ length: dice.below(4) }, () => {
    const name = dice.chance(0.98) ? dice.pick(all) : strangeText(dice);
    const value = dice.chance(0.9) ? dice.pick(options[name] ?? ['x']) : strangeText(dice);
    return [name, value];
  });
}

function encoded(object: object, subject: Subject, dice: Dice): { type: string; body: Buffer } {
  switch (dice.below(8)) {
    case 0:
      return { type: 'application/yaml', body: Buffer.from(writeYaml(object)) };
    case 1:
    case 2:
      try {
        const bytes = writeProtobufObject(object, builtinTypes.struct(subject.facts.typeName));
        return { type: protobufType, body: dice.chance(0.5) ? mutatedBytes(bytes, dice) : Buffer.from(bytes) };
      } catch {
        // Too wrong for its own type.
        return { type: protobufType, body: mutatedBytes(Buffer.from(JSON.stringify(object)), dice) };
      }
    case 3: {
      const type = dice.pick([jsonType, jsonType, 'application/yaml', protobufType, 'text/plain', '']);
      return { type, body: mutatedBytes(Buffer.from(JSON.stringify(object)), dice) };
    }
    default:
      return { type: jsonType, body: Buffer.from(JSON.stringify(object)) };
  }
}

function pointerOf(object: unknown, dice: Dice): string {
  let at = object;
  let path = '';
  while (at !== null && typeof at === 'object' && dice.chance(0.8)) {
    const keys = Object.keys(at);
    if (keys.length === 0) break;
    const key = dice.pick(keys);
    path += `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    at = (at as Record<string, unknown>)[key];
  }
  return dice.chance(0.9)
    ? path
    : path + dice.pick(['/-', '/~2', '//', '/__proto__/polluted', '/constructor/prototype/x', '/99999999']);
}

function patchOf(type: string, object: object, dice: Dice): Buffer {
  if (type === 'application/json-patch+json') {
    const operations = Array.from({ length: dice.pick([1, 2, 5, 200]) }, () => ({
      op: dice.pick(['add', 'replace', 'remove', 'copy', 'move', 'test', 'x']),
      path: pointerOf(object, dice),
      from: pointerOf(object, dice),
      value: strangeValue(dice),
    }));
    const body = Buffer.from(JSON.stringify(operations));
    return dice.chance(0.1) ? mutatedBytes(body, dice) : body;
  }
  const patch = mutated(object, dice, dice.pick(names));
  if (type.includes('strategic') && dice.chance(0.5)) {
    const directives = [
      '$patch',
      '$retainKeys',
      '$setElementOrder/ports',
      '$deleteFromPrimitiveList/finalizers',
      '$setElementOrder',
    ];
    const holders = [patch, patch['spec'], patch['metadata']].filter(each => typeof each === 'object' && each !== null);
    const holder = dice.pick(holders) as Record<string, unknown>;
    if (holder)
      holder[dice.pick(directives)] = dice.pick<unknown>([
        'delete',
        'replace',
        'merge',
        ['a'],
        [{ name: 'a' }],
        5,
        null,
      ]);
  }
  const body =
    type.endsWith('yaml') && dice.chance(0.3) ? Buffer.from(writeYaml(patch)) : Buffer.from(JSON.stringify(patch));
  return dice.chance(0.1) ? mutatedBytes(body, dice) : body;
}

const deleteBodies = [
  '',
  '{}',
  '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}',
  '{"preconditions":{"uid":"x"}}',
  '[]',
  '{"propagationPolicy":5}',
];

/** One request about the kind of `subject`. */
export function requestOf(subject: Subject, dice: Dice): FuzzRequest {
  const { facts } = subject;
  const root = facts.group === '' ? `/api/${facts.version}` : `/apis/${facts.group}/${facts.version}`;
  const place = facts.namespaced && dice.chance(0.97) ? `${root}/namespaces/${namespace}` : root;
  const collection = `${place}/${facts.resource}`;
  const name = dice.chance(0.95) ? dice.pick(names) : encodeURIComponent(strangeText(dice).replaceAll('\ud800', 'x'));
  const subresources = facts.subresources.filter(
    each => !['exec', 'attach', 'portforward', 'proxy', 'log'].includes(each.name),
  );
  const subresource = subresources.length > 0 && dice.chance(0.3) ? `/${dice.pick(subresources).name}` : '';
  const one = `${collection}/${name}${subresource}`;
  const headers = { accept: dice.chance(0.6) ? jsonType : dice.pick(accepts), 'user-agent': 'fuzz/1' };
  const query = queryOf(dice);
  const object = objectOf(subject, dice);
  const send = (method: string, path: string, type: string, body: Buffer): FuzzRequest => ({
    method,
    path,
    query,
    headers: { ...headers, ...(type !== '' && { 'content-type': type }) },
    body,
  });
  const none = Buffer.alloc(0);
  switch (dice.below(12)) {
    case 0:
      return send('GET', one, '', none);
    case 1:
    case 2:
      return send('GET', collection, '', none);
    case 3:
      return send('DELETE', dice.chance(0.9) ? one : collection, jsonType, Buffer.from(dice.pick(deleteBodies)));
    case 4:
    case 5: {
      const { type, body } = encoded(mutated(object, dice, name), subject, dice);
      return send('PUT', one, type, body);
    }
    case 6:
    case 7:
    case 8: {
      const type = dice.pick(patchTypes);
      return send('PATCH', one, type, patchOf(type, object, dice));
    }
    default: {
      const { type, body } = encoded(mutated(object, dice, dice.pick(names)), subject, dice);
      return send(
        dice.chance(0.98) ? 'POST' : strangeMethod(dice),
        subresource && dice.chance(0.5) ? one : collection,
        type,
        body,
      );
    }
  }
}

function strangeMethod(dice: Dice): string {
  return dice.pick(['HEAD', 'OPTIONS', 'FOO', 'TRACE', 'get']);
}
