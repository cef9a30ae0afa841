/**
 * The paths of custom resources. They differ from those of built-in ones: other identifiers, no watch paths, JSON and
 * YAML alone. Upstream: apiextensions-apiserver pkg/controller/openapi/builder/builder.go.
 */
import type { CustomResourceDefinition } from '../types.ts';
import { customName, listKindOf } from './custom-schema.ts';
import {
  article,
  capital,
  groupWord,
  nameParameter,
  namespaceParameter,
  type Operation,
  optionsOf,
  type PathOperations,
  pretty,
  sharePath,
} from './operation.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const types = ['application/json', 'application/yaml'];
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];

interface Names {
  readonly kind: string;
  /** What an operation's id puts after the verb: `SeaExampleComV1`. */
  readonly prefix: string;
  readonly word: string;
  readonly typeName: string;
  readonly listName: string;
}

function operations(crd: CustomResourceDefinition, version: string) {
  const { group, names, scope } = crd.spec;
  const word = groupWord(group);
  const of: Names = {
    kind: names.kind,
    prefix: capital(word) + capital(version),
    word: (scope === 'Namespaced' ? 'Namespaced' : '') + names.kind,
    typeName: customName(group, version, names.kind),
    listName: customName(group, version, listKindOf(crd)),
  };
  const base = { tag: `${word}_${version}`, produces: types, consumes: types, parameters: [] };
  const kind = { group, version, kind: names.kind };
  const make = (method: Operation['method'], id: string, description: string, rest: Partial<Operation>): Operation => ({
    ...base,
    method,
    id,
    description,
    answers: [],
    kind,
    ...rest,
  });
  return { of, make };
}

function collection({ of, make }: ReturnType<typeof operations>): Operation[] {
  const object = { ref: of.typeName };
  const list = optionsOf(`${meta}ListOptions`);
  return [
    make('get', `list${of.prefix}${of.word}`, `list objects of kind ${of.kind}`, {
      action: 'list',
      parameters: list,
      answers: [[200, 'OK', { ref: of.listName }]],
    }),
    make('post', `create${of.prefix}${of.word}`, `create ${article(of.kind)}`, {
      action: 'post',
      parameters: optionsOf(`${meta}CreateOptions`),
      body: { ref: of.typeName, required: true, types },
      answers: [
        [200, 'OK', object],
        [201, 'Created', object],
        [202, 'Accepted', object],
      ],
    }),
    make('delete', `delete${of.prefix}Collection${of.word}`, `delete collection of ${of.kind}`, {
      action: 'deletecollection',
      parameters: list,
      answers: [[200, 'OK', { ref: `${meta}Status` }]],
    }),
  ];
}

/** Reading and writing an object, or a subresource of it. */
function item({ of, make }: ReturnType<typeof operations>, sub: string, typeName: string): Operation[] {
  const suffix = of.word + capital(sub);
  const what = `${sub ? `${sub} of ` : ''}the specified ${of.kind}`;
  const object = { ref: typeName };
  const written = [
    [200, 'OK', object],
    [201, 'Created', object],
  ] as const;
  return [
    make('get', `read${of.prefix}${suffix}`, `read ${what}`, {
      action: 'get',
      parameters: optionsOf(`${meta}GetOptions`),
      answers: [[200, 'OK', object]],
    }),
    make('put', `replace${of.prefix}${suffix}`, `replace ${what}`, {
      action: 'put',
      parameters: optionsOf(`${meta}UpdateOptions`),
      body: { ref: typeName, required: true, types },
      answers: written,
    }),
    make('patch', `patch${of.prefix}${suffix}`, `partially update ${what}`, {
      action: 'patch',
      parameters: optionsOf(`${meta}PatchOptions`),
      consumes: patchTypes,
      body: { ref: `${meta}Patch`, required: true, types: patchTypes },
      answers: [[200, 'OK', object]],
    }),
  ];
}

function removal({ of, make }: ReturnType<typeof operations>): Operation {
  const status = { ref: `${meta}Status` };
  return make('delete', `delete${of.prefix}${of.word}`, `delete ${article(of.kind)}`, {
    action: 'delete',
    parameters: optionsOf(`${meta}DeleteOptions`),
    body: { ref: `${meta}DeleteOptions`, required: false, types },
    answers: [
      [200, 'OK', status],
      [202, 'Accepted', status],
    ],
  });
}

/** The paths of one version of a definition. */
export function customPaths(crd: CustomResourceDefinition, version: string): PathOperations[] {
  const { group, names, scope } = crd.spec;
  const namespaced = scope === 'Namespaced';
  const root = `/apis/${group}/${version}`;
  const within = namespaced ? [namespaceParameter] : [];
  const base = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${names.plural}`;
  const tools = operations(crd, version);
  const one = [nameParameter(names.kind), ...within, pretty];
  const found = [
    sharePath(base, [...within, pretty], collection(tools)),
    sharePath(`${base}/{name}`, one, [...item(tools, '', tools.of.typeName), removal(tools)]),
  ];
  if (namespaced) {
    const [list] = collection(tools);
    const id = `list${tools.of.prefix}${names.kind}ForAllNamespaces`;
    found.push(sharePath(`${root}/${names.plural}`, [pretty], [{ ...list!, id }]));
  }
  const { status, scale } = crd.spec.versions.find(each => each.name === version)?.subresources ?? {};
  if (status) found.push(sharePath(`${base}/{name}/status`, one, item(tools, 'status', tools.of.typeName)));
  if (scale)
    found.push(sharePath(`${base}/{name}/scale`, one, item(tools, 'scale', 'io.k8s.api.autoscaling.v1.Scale')));
  return found;
}
