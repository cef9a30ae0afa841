/**
 * Events of a watch in the negotiated encoding: one encoded form for all watchers that ask for the same, kept with the
 * item. Upstream: apiserver pkg/endpoints/handlers/{watch,response}.go, apimachinery pkg/util/framer.
 */

import type { KindTable } from '#api/columns';
import { builtinTypes } from '#api/tables';
import { deepFreeze, type Json, type KubeObject, type Status, type StructNode, writeWatchFrame } from '#apimachinery';
import type { Scope } from '../handlers/scope.ts';
import type { EncodedWatchEvent } from '../http/message.ts';
import { type ObjectItem, sentBytes } from '../registry/caches.ts';
import { apiVersionText, fromStorage } from '../scheme/resource.ts';
import type { OutputType } from '../serialization/negotiation.ts';
import { asMetadata, metadataStruct } from '../serialization/partial-metadata.ts';
import { encodeAs } from '../serialization/respond.ts';
import { tableOf } from '../serialization/table.ts';

type EventType = EncodedWatchEvent['type'];

export function watchContentType(output: OutputType): string {
  return output.mediaType === 'application/json' ? 'application/json' : `${output.mediaType};stream=watch`;
}

const statusStruct = (): StructNode => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.Status');

export class EventEncoder {
  readonly #scope: Scope;
  readonly #output: OutputType;
  readonly #raw: boolean;
  readonly #table: KindTable | undefined;
  #columnsSent = false;

  /** `table`: how the kind is shown, when tables are asked for. */
  constructor(scope: Scope, output: OutputType, table?: KindTable) {
    this.#scope = scope;
    this.#table = table;
    this.#output = output;
    this.#raw = scope.resource.storage === scope.resource && !output.as && output.mediaType === 'application/json';
  }

  added(item: ObjectItem): EncodedWatchEvent {
    return this.#event('ADDED', item);
  }
  modified(item: ObjectItem): EncodedWatchEvent {
    return this.#event('MODIFIED', item);
  }
  deleted(item: ObjectItem): EncodedWatchEvent {
    return this.#event('DELETED', item);
  }

  /** An object with nothing but a resourceVersion; `initialEnd` closes the initial events. */
  bookmark(revision: number, initialEnd: boolean): EncodedWatchEvent {
    const { resource } = this.#scope;
    const metadata = {
      resourceVersion: String(revision),
      ...(initialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
    };
    const object: KubeObject = { kind: resource.kind, apiVersion: apiVersionText(resource), metadata };
    return this.#frameOf('BOOKMARK', object);
  }

  error(status: Status): EncodedWatchEvent {
    return {
      type: 'ERROR',
      object: () => deepFreeze(status) as unknown as Json,
      frame: () => this.#wrap('ERROR', encodeAs(status, statusStruct(), { ...this.#output, pretty: false })),
    };
  }

  #event(type: EventType, item: ObjectItem): EncodedWatchEvent {
    if (!this.#raw) {
      return this.#frameOf(type, item.object, item);
    }
    return {
      type,
      object: () => item.object as unknown as Json,
      frame: () => item.form(`watch:${type}`, () => this.#wrap(type, sentBytes(item))),
    };
  }

  /** `stored`: of the stored version. */
  #frameOf(type: EventType, stored: KubeObject, item?: ObjectItem): EncodedWatchEvent {
    const { resource, deps, request } = this.#scope;
    const output = { ...this.#output, pretty: false };
    const table = this.#table;
    if (table) {
      const columns = !this.#columnsSent;
      this.#columnsSent = true;
      const made = () =>
        tableOf(table, [stored], {
          resource,
          output,
          nowMs: deps.clock.now(),
          includeObject: request.query.get('includeObject'),
          listMeta: { resourceVersion: stored.metadata.resourceVersion! },
          columns,
        });
      return { type, object: () => made() as Json, frame: () => this.#wrap(type, encodeAs(made(), undefined, output)) };
    }
    const object = type === 'BOOKMARK' ? stored : fromStorage(resource, stored);
    if (output.as) {
      const partial = asMetadata(object, output.version);
      const make = () => this.#wrap(type, encodeAs(partial, metadataStruct(), output));
      const name = `${output.mediaType}:${output.as}:${output.version}:${type}`;
      return { type, object: () => partial as unknown as Json, frame: () => item?.form(name, make) ?? make() };
    }
    const make = () => this.#wrap(type, encodeAs(object, resource.struct, output));
    const name = `${output.mediaType}:${resource.version}.${resource.group}:${type}`;
    return { type, object: () => object as unknown as Json, frame: () => item?.form(name, make) ?? make() };
  }

  #wrap(type: EventType, object: Uint8Array): Uint8Array {
    switch (this.#output.mediaType) {
      case 'application/json': {
        const end = object.at(-1) === 0x0a ? object.subarray(0, -1) : object;
        return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), end, Buffer.from('}\n')]);
      }
      case 'application/yaml': {
        const text = Buffer.from(object).toString().replace(/\n$/, '').split('\n').join('\n  ');
        return Buffer.from(`---\nobject:\n  ${text}\ntype: ${type}\n`);
      }
      case 'application/vnd.kubernetes.protobuf':
        return writeWatchFrame(type, object);
    }
  }
}
