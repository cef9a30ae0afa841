/**
 * The paths of a group version and what one may do there, worked out from the facts of its resources; both versions of
 * OpenAPI are written from this. Upstream: apiserver pkg/endpoints/installer.go, pkg/endpoints/openapi/openapi.go.
 */
import type { GroupVersionKind } from '#apimachinery';
import { deletedObjects } from './facts.gen.ts';
import {
  article,
  capital,
  documentPath,
  groupWord,
  type Method,
  nameParameter,
  namespaceParameter,
  type Operation,
  objectTypes,
  optionsOf,
  type Parameter,
  type PathOperations,
  pathParameter,
  pretty,
  rootOf,
  sharePath,
  unite,
  watchTypes,
} from './operation.ts';

/** A resource as OpenAPI shows it; ResourceFacts is one. */
export interface OpenapiResource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  /** Definition of the kind; that of its list ends in List. */
  readonly typeName: string;
  readonly subresources: readonly {
    readonly name: string;
    readonly kind: GroupVersionKind;
    readonly verbs: readonly string[];
    readonly typeName: string;
  }[];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

interface Options {
  readonly list: Parameter[];
  readonly create: Parameter[];
  readonly update: Parameter[];
  readonly patch: Parameter[];
  readonly remove: Parameter[];
  readonly removeAll: Parameter[];
}

function readOptions(): Options {
  const list = optionsOf(`${meta}ListOptions`);
  const remove = optionsOf(`${meta}DeleteOptions`);
  const selecting = list.filter(each => each.name !== 'watch' && each.name !== 'allowWatchBookmarks');
  return {
    list,
    create: optionsOf(`${meta}CreateOptions`),
    update: optionsOf(`${meta}UpdateOptions`),
    patch: optionsOf(`${meta}PatchOptions`),
    remove,
    removeAll: unite(remove, selecting),
  };
}

const methods: readonly Method[] = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

/** Writes the operations of one resource. */
class ResourcePaths {
  readonly paths: PathOperations[] = [];
  readonly #resource: OpenapiResource;
  readonly #root: string;
  readonly #options: Options;
  readonly #prefix: string;
  readonly #tag: string;
  readonly #own: GroupVersionKind;

  constructor(resource: OpenapiResource, root: string, options: Options) {
    this.#resource = resource;
    this.#root = root;
    this.#options = options;
    const word = groupWord(resource.group);
    this.#prefix = capital(word) + capital(resource.version);
    this.#tag = `${word}_${resource.version}`;
    this.#own = { group: resource.group, version: resource.version, kind: resource.kind };
  }

  /** All paths of the resource. */
  write(): PathOperations[] {
    const { namespaced, resource, kind } = this.#resource;
    const scope = namespaced ? `${this.#root}/namespaces/{namespace}` : this.#root;
    const within = namespaced ? [namespaceParameter] : [];
    const word = (namespaced ? 'Namespaced' : '') + kind;
    this.#collection(`${scope}/${resource}`, within, word);
    if (namespaced) this.#allNamespaces(`${this.#root}/${resource}`);
    const item = `${scope}/${resource}/{name}`;
    this.#item(item, within, word);
    for (const subresource of this.#resource.subresources) this.#subresource(item, within, word, subresource);
    if (this.#resource.verbs.includes('watch')) this.#watches(within, word);
    return this.paths;
  }

  #can(verb: string): boolean {
    return this.#resource.verbs.includes(verb);
  }

  #add(path: string, parameters: readonly Parameter[], operations: readonly Operation[]): void {
    if (operations.length > 0) this.paths.push(sharePath(path, parameters, operations));
  }

  #operation(method: Method, id: string, description: string, rest: Partial<Operation>): Operation {
    return {
      method,
      id,
      tag: this.#tag,
      description,
      parameters: [],
      produces: objectTypes,
      consumes: ['*/*'],
      answers: [],
      kind: this.#own,
      ...rest,
    };
  }

  #list(id: string, description: string): Operation {
    const content = { ref: `${this.#resource.typeName}List` };
    return this.#operation('get', id, description, {
      action: 'list',
      parameters: this.#options.list,
      produces: watchTypes,
      answers: [[200, 'OK', content]],
    });
  }

  #create(id: string, description: string, typeName: string, kind: GroupVersionKind): Operation {
    const content = { ref: typeName };
    return this.#operation('post', id, description, {
      action: 'post',
      kind,
      parameters: this.#options.create,
      body: { ref: typeName, required: true, types: ['*/*'] },
      answers: [
        [200, 'OK', content],
        [201, 'Created', content],
        [202, 'Accepted', content],
      ],
    });
  }

  #collection(path: string, within: readonly Parameter[], word: string): void {
    const { kind, typeName } = this.#resource;
    const found: Operation[] = [];
    if (this.#can('list')) found.push(this.#list(`list${this.#prefix}${word}`, this.#listText));
    if (this.#can('create')) {
      found.push(this.#create(`create${this.#prefix}${word}`, `create ${article(kind)}`, typeName, this.#own));
    }
    if (this.#can('deletecollection')) {
      const status = { ref: `${meta}Status` };
      found.push(
        this.#operation('delete', `delete${this.#prefix}Collection${word}`, `delete collection of ${kind}`, {
          action: 'deletecollection',
          parameters: this.#options.removeAll,
          body: { ref: `${meta}DeleteOptions`, required: false, types: ['*/*'] },
          answers: [[200, 'OK', status]],
        }),
      );
    }
    this.#add(path, [...within, pretty], found);
  }

  get #listText(): string {
    return `list ${this.#can('watch') ? 'or watch ' : ''}objects of kind ${this.#resource.kind}`;
  }

  #allNamespaces(path: string): void {
    const { kind } = this.#resource;
    if (!this.#can('list')) return;
    const id = `list${this.#prefix}${kind}ForAllNamespaces`;
    this.#add(path, [pretty], [this.#list(id, this.#listText)]);
  }

  /** Reading and writing one object, or a subresource of it. */
  #readAndWrite(
    verbs: readonly string[],
    word: string,
    what: { readonly of: string; readonly typeName: string; readonly kind: GroupVersionKind },
  ): Operation[] {
    const { of, typeName, kind } = what;
    const content = { ref: typeName };
    const found: Operation[] = [];
    const written = [
      [200, 'OK', content],
      [201, 'Created', content],
    ] as const;
    if (verbs.includes('get')) {
      const answers = [[200, 'OK', content]] as const;
      found.push(this.#operation('get', `read${this.#prefix}${word}`, `read ${of}`, { action: 'get', kind, answers }));
    }
    if (verbs.includes('update')) {
      found.push(
        this.#operation('put', `replace${this.#prefix}${word}`, `replace ${of}`, {
          action: 'put',
          kind,
          parameters: this.#options.update,
          body: { ref: typeName, required: true, types: ['*/*'] },
          answers: written,
        }),
      );
    }
    if (verbs.includes('patch')) {
      found.push(
        this.#operation('patch', `patch${this.#prefix}${word}`, `partially update ${of}`, {
          action: 'patch',
          kind,
          parameters: this.#options.patch,
          body: { ref: `${meta}Patch`, required: true, types: patchTypes },
          consumes: patchTypes,
          answers: written,
        }),
      );
    }
    return found;
  }

  #item(path: string, within: readonly Parameter[], word: string): void {
    const { kind, typeName, verbs } = this.#resource;
    const found = this.#readAndWrite(verbs, word, { of: `the specified ${kind}`, typeName, kind: this.#own });
    if (this.#can('delete')) {
      const content = { ref: deletedObjects.includes(typeName) ? typeName : `${meta}Status` };
      found.push(
        this.#operation('delete', `delete${this.#prefix}${word}`, `delete ${article(kind)}`, {
          action: 'delete',
          parameters: this.#options.remove,
          body: { ref: `${meta}DeleteOptions`, required: false, types: ['*/*'] },
          answers: [
            [200, 'OK', content],
            [202, 'Accepted', content],
          ],
        }),
      );
    }
    this.#add(path, [nameParameter(kind), ...within, pretty], found);
  }

  #subresource(
    item: string,
    within: readonly Parameter[],
    word: string,
    { name, kind, verbs, typeName }: OpenapiResource['subresources'][number],
  ): void {
    const path = `${item}/${name}`;
    const parameters = [nameParameter(kind.kind), ...within];
    const suffix = word + capital(name);
    if (name === 'log') this.#log(path, [...parameters, pretty], suffix);
    else if (/Options$/.test(kind.kind)) this.#connect(path, parameters, suffix, { name, kind, verbs, typeName });
    else {
      const of = `${name} of the specified ${this.#resource.kind}`;
      const found = this.#readAndWrite(verbs, suffix, { of, typeName, kind });
      if (verbs.includes('create')) {
        const description = `create ${name} of ${article(this.#resource.kind)}`;
        found.push(this.#create(`create${this.#prefix}${suffix}`, description, typeName, kind));
      }
      this.#add(path, [...parameters, pretty], found);
    }
  }

  #log(path: string, parameters: readonly Parameter[], suffix: string): void {
    const options = optionsOf('io.k8s.api.core.v1.PodLogOptions');
    const produces = ['text/plain', ...objectTypes];
    const read = this.#operation('get', `read${this.#prefix}${suffix}`, 'read log of the specified Pod', {
      action: 'get',
      produces,
      parameters: options,
      answers: [[200, 'OK', 'text']],
    });
    this.#add(path, parameters, [read]);
  }

  #connect(
    path: string,
    parameters: readonly Parameter[],
    suffix: string,
    { name, kind, verbs, typeName }: OpenapiResource['subresources'][number],
  ): void {
    const options = optionsOf(typeName);
    const all = name === 'proxy' ? methods : methods.filter(method => method === 'get' || method === 'post');
    const operations = (id: string): Operation[] =>
      all.map(method =>
        this.#operation(
          method,
          `connect${this.#prefix}${capital(method)}${id}`,
          `connect ${method.toUpperCase()} requests to ${name} of ${this.#resource.kind}`,
          { action: 'connect', kind, parameters: options, produces: ['*/*'], answers: [[200, 'OK', 'text']] },
        ),
      );
    if (verbs.length === 0) return;
    this.#add(path, parameters, operations(suffix));
    if (name === 'proxy')
      this.#addWithPath(`${path}/{path}`, [...parameters, pathParameter], operations(`${suffix}WithPath`));
  }

  /** The path of the proxied request stands in the path and in the query. */
  #addWithPath(path: string, parameters: readonly Parameter[], operations: readonly Operation[]): void {
    const query = operations[0]!.parameters;
    const sorted = [...parameters, ...query].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.paths.push({ path, parameters: sorted, operations: operations.map(each => ({ ...each, parameters: [] })) });
  }

  #watches(within: readonly Parameter[], word: string): void {
    const { kind, resource, namespaced } = this.#resource;
    const root = `${this.#root}/watch`;
    const scope = namespaced ? `${root}/namespaces/{namespace}` : root;
    const event = { ref: `${meta}WatchEvent` };
    const watch = (id: string, description: string, action: string): Operation =>
      this.#operation('get', `watch${this.#prefix}${id}`, description, {
        action,
        parameters: this.#options.list,
        produces: watchTypes,
        answers: [[200, 'OK', event]],
      });
    const deprecated = "deprecated: use the 'watch' parameter with a list operation instead";
    const lists = `watch individual changes to a list of ${kind}. ${deprecated}.`;
    this.#add(`${scope}/${resource}`, [...within, pretty], [watch(`${word}List`, lists, 'watchlist')]);
    if (namespaced) {
      this.#add(`${root}/${resource}`, [pretty], [watch(`${kind}ListForAllNamespaces`, lists, 'watchlist')]);
    }
    if (!this.#can('get')) return;
    const one = `watch changes to an object of kind ${kind}. ${deprecated}, filtered to a single item with the 'fieldSelector' parameter.`;
    this.#add(`${scope}/${resource}/{name}`, [nameParameter(kind), ...within, pretty], [watch(word, one, 'watch')]);
  }
}

/** All paths of a group version, sorted. */
export function pathsOf(group: string, version: string, resources: readonly OpenapiResource[]): PathOperations[] {
  const root = rootOf(group, version);
  const options = readOptions();
  const word = groupWord(group);
  const discovery = documentPath(
    `${root}/`,
    `${word}_${version}`,
    `get${capital(word)}${capital(version)}APIResources`,
    'get available resources',
    `${meta}APIResourceList`,
  );
  const all = [discovery, ...resources.flatMap(resource => new ResourcePaths(resource, root, options).write())];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}
