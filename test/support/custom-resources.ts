/** Custom resources in tests: their definitions, made and waited for, and requests about them. */
import assert from 'node:assert/strict';
import type { ApiRequest, Transport } from '#client';

export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export type Tree = Record<string, any>;

/** The refusal of a request. */
export async function refused(work: Promise<unknown>): Promise<{ code: number; message: string; warnings?: string }> {
  try {
    await work;
  } catch (error) {
    const { status } = error as { status: { code: number; message: string } };
    return { code: status.code, message: status.message };
  }
  throw new assert.AssertionError({ message: 'the request was not refused' });
}

interface VersionOptions extends Tree {
  readonly name: string;
  readonly schema?: Tree;
}

export function version({ name, schema = { type: 'object' }, ...rest }: VersionOptions): Tree {
  return { name, served: true, storage: false, schema: { openAPIV3Schema: schema }, ...rest };
}

export const specOf = (properties: Tree, more: Tree = {}): Tree => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, ...more } },
});
export const thing = (group: string, name: string, spec: Tree, versionName = 'v1'): Tree => ({
  apiVersion: `${group}/${versionName}`,
  kind: 'Thing',
  metadata: { name },
  spec,
});

export interface Definers {
  ask(request: ApiRequest): Promise<Tree>;
  get(path: string): Promise<Tree>;
  post(path: string, body: object): Promise<Tree>;
  put(path: string, body: object): Promise<Tree>;
  remove(path: string): Promise<Tree>;
  patch(path: string, body: object, type?: string): Promise<Tree>;
  /** Makes a definition `things.<group>` and waits until it is served; the path of its group. */
  define(group: string, versions: Tree[], more?: Tree): Promise<string>;
  established(name: string): Promise<void>;
}

/** Requests through the transport that there is when they are made. */
export function definers(transport: () => Transport): Definers {
  async function ask(request: ApiRequest): Promise<Tree> {
    // What comes out of a cache is frozen.
    return structuredClone(await (await transport().request(request)).json()) as Tree;
  }
  const get = (path: string): Promise<Tree> => ask({ method: 'GET', path });
  const post = (path: string, body: object): Promise<Tree> => ask({ method: 'POST', path, body });
  const put = (path: string, body: object): Promise<Tree> => ask({ method: 'PUT', path, body });
  const remove = (path: string): Promise<Tree> => ask({ method: 'DELETE', path });
  const patch = (path: string, body: object, type = 'merge-patch+json'): Promise<Tree> =>
    ask({ method: 'PATCH', path, body, headers: { 'content-type': `application/${type}` } });

  async function define(group: string, versions: Tree[], more: Tree = {}): Promise<string> {
    const stored = versions.findIndex(each => each['storage']);
    const spec = {
      group,
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing', shortNames: ['th'], categories: ['all'] },
      versions: versions.map((each, at) => ({ ...each, storage: at === Math.max(stored, 0) })),
      ...more,
    };
    await post(definitions, { metadata: { name: `things.${group}` }, spec });
    await established(`things.${group}`);
    return `/apis/${group}`;
  }

  async function established(name: string): Promise<void> {
    const path = `${definitions}/${name}`;
    const isReady = (crd: Tree): boolean =>
      crd['status']?.conditions?.some((each: Tree) => each['type'] === 'Established' && each['status'] === 'True');
    const first = await get(path);
    if (isReady(first)) return;
    const query: [string, string][] = [
      ['watch', '1'],
      ['fieldSelector', `metadata.name=${name}`],
      ['resourceVersion', first['metadata'].resourceVersion],
    ];
    const end = new AbortController();
    const watch = await transport().request({ method: 'GET', path: definitions, query, signal: end.signal });
    for await (const { object } of watch.events()) if (isReady(object as Tree)) break;
    end.abort();
  }

  return { ask, get, post, put, remove, patch, define, established };
}
