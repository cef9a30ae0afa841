/** CustomResourceDefinitions of a test's own, and the paths of their resources. */
import { ApiextensionsV1Api, type V1CustomResourceDefinition } from '@kubernetes/client-node';
import { eventually } from '../../support/kobune.ts';
import type { Subject } from './subject.ts';

export interface DefinitionOptions {
  readonly group?: string;
  /** Default: one version, `v1`. The first is stored. */
  readonly versions?: readonly string[];
  readonly scope?: 'Cluster' | 'Namespaced';
  /** Default: an object of any fields. */
  readonly schema?: object;
  readonly kind?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Definition extends AsyncDisposable {
  /** As it was when it was established. */
  readonly crd: V1CustomResourceDefinition;
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  /** Of the first version, where it is served. */
  path(namespace?: string, version?: string): string;
  /** An object of the first version. */
  object(name: string, fields?: object): any;
}

export const anything: object = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** Makes one and waits until it is established and served. */
export async function define(subject: Subject, options: DefinitionOptions = {}): Promise<Definition> {
  const api = subject.api(ApiextensionsV1Api);
  const word = subject.unique('thing').replaceAll('-', '');
  const group = options.group ?? `${word}.example.com`;
  const kind = options.kind ?? word.charAt(0).toUpperCase() + word.slice(1);
  const plural = `${kind.toLowerCase()}s`;
  const versions = options.versions ?? ['v1'];
  const body = {
    metadata: { name: `${plural}.${group}`, labels: { ...options.labels } },
    spec: {
      group,
      scope: options.scope ?? 'Cluster',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: versions.map((name, at) => ({
        name,
        served: true,
        storage: at === 0,
        // As JSON: the client has other names for the keys that begin with x-.
        schema: { openAPIV3Schema: options.schema ?? anything },
      })),
    },
  };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const answer = await subject.request('POST', path, { body });
  if (answer.status !== 201) throw new Error(answer.text);
  const crd = await eventually(`${body.metadata.name} is established`, async () => {
    const read = await api.readCustomResourceDefinition({ name: body.metadata.name });
    return read.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')
      ? read
      : undefined;
  });
  const pathOf = (namespace?: string, version = versions[0]!): string =>
    `/apis/${group}/${version}${namespace ? `/namespaces/${namespace}` : ''}/${plural}`;
  await eventually(`${pathOf()} is served`, async () =>
    (await subject.request('GET', pathOf())).status === 200 ? true : undefined,
  );
  return {
    crd,
    group,
    plural,
    kind,
    path: pathOf,
    object: (name, fields = {}) => ({ apiVersion: `${group}/${versions[0]}`, kind, metadata: { name }, ...fields }),
    async [Symbol.asyncDispose]() {
      await api.deleteCustomResourceDefinition({ name: body.metadata.name }).catch(() => {});
    },
  };
}
