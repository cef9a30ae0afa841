/**
 * The CEL of admission: the variables that match conditions and policies see, and what their expressions must give.
 * Upstream: apiserver pkg/admission/plugin/cel/{compile,composition}.go.
 *
 *     const policy = new PolicyExpressions({ params: true });
 *     policy.variable('a', 'object.metadata.name');              // later expressions see variables.a
 *     const { program, problem } = policy.compile("variables.a == 'x'", [types.bool]);
 */
import {
  authorizerType,
  type DeclType,
  dynType,
  type Environment,
  jsonPatchLibrary,
  listOf,
  mapOf,
  newBaseEnvironment,
  type Program,
  resourceCheckType,
  structType,
  type Type,
  types,
} from '#apimachinery/cel';
import { madeObjects } from './made-objects.ts';

/** An expression that can be run, or what is wrong with it. */
export type Compiled =
  | { readonly expression: string; readonly program: Program; readonly type: Type; readonly problem?: undefined }
  | { readonly expression: string; readonly problem: string; readonly program?: undefined; readonly type?: undefined };

const declared = (type: Type, more: Partial<DeclType> = {}): DeclType => ({
  type,
  maxElements: 0,
  minSerializedSize: 0,
  ...more,
});
const string = declared(types.string);
const list = (element: DeclType): DeclType => declared(listOf(element.type), { element });
const map = (element: DeclType): DeclType => declared(mapOf(types.string, element.type), { key: string, element });
const struct = (name: string, fields: Readonly<Record<string, DeclType>>): DeclType =>
  declared(structType(name), { fields: new Map(Object.entries(fields)) });

function requestType(): DeclType {
  const kind = struct('kubernetes.GroupVersionKind', { group: string, version: string, kind: string });
  const resource = struct('kubernetes.GroupVersionResource', { group: string, version: string, resource: string });
  const userInfo = struct('kubernetes.UserInfo', {
    username: string,
    uid: string,
    groups: list(string),
    extra: map(list(string)),
  });
  return struct('kubernetes.AdmissionRequest', {
    kind,
    resource,
    subResource: string,
    requestKind: kind,
    requestResource: resource,
    requestSubResource: string,
    name: string,
    // A reserved word: fields are known by their escaped names.
    namespace: string,
    __namespace__: string,
    operation: string,
    userInfo,
    dryRun: declared(types.bool),
    options: dynType,
  });
}

function namespaceType(): DeclType {
  const timestamp = declared(types.timestamp);
  const int = declared(types.int);
  const condition = struct('kubernetes.NamespaceCondition', {
    status: string,
    type: string,
    lastTransitionTime: timestamp,
    message: string,
    reason: string,
  });
  const metadata = struct('kubernetes.NamespaceMetadata', {
    name: string,
    generateName: string,
    namespace: string,
    __namespace__: string,
    labels: map(string),
    annotations: map(string),
    UID: string,
    creationTimestamp: timestamp,
    deletionGracePeriodSeconds: int,
    deletionTimestamp: timestamp,
    generation: int,
    resourceVersion: string,
    finalizers: list(string),
  });
  return struct('kubernetes.Namespace', {
    metadata,
    spec: struct('kubernetes.NamespaceSpec', { finalizers: list(string) }),
    status: struct('kubernetes.NamespaceStatus', { conditions: list(condition), phase: string }),
  });
}

export interface ExpressionOptions {
  /** The policy has a kind of parameters. */
  readonly params: boolean;
  /** Of a mutating policy: objects can be made, and keys of JSON pointers escaped. */
  readonly mutating?: boolean;
}

const common = (): Readonly<Record<string, DeclType>> => ({
  object: dynType,
  oldObject: dynType,
  request: requestType(),
  namespaceObject: namespaceType(),
});
const authorization: Readonly<Record<string, DeclType>> = {
  authorizer: declared(authorizerType),
  'authorizer.requestResource': declared(resourceCheckType),
};

/** Made once: an environment is immutable, and joining its libraries takes time. */
const bases = {
  validating: lazily(() => newBaseEnvironment()),
  mutating: lazily(() => newBaseEnvironment([jsonPatchLibrary]).withStructs(madeObjects)),
};

function lazily(make: () => Environment): () => Environment {
  let made: Environment | undefined;
  return () => (made ??= make().extend(common()));
}

/** The expressions of one policy or webhook, in the order in which they are written: variables see those before them. */
export class PolicyExpressions {
  readonly #fields = new Map<string, DeclType>();
  readonly #options: ExpressionOptions;
  #environment: Environment | undefined;
  #authorized: Environment | undefined;

  constructor(options: ExpressionOptions) {
    this.#options = options;
  }

  /** `types`: one of which it must give; empty: anything. `authorizer` false: the expression may not ask it. */
  compile(expression: string, wanted: readonly Type[], authorizer = true): Compiled {
    const { program, resultType, issues } = this.#environmentOf(authorizer).compile(expression);
    if (issues !== undefined) return { expression, problem: `compilation failed: ${issues}` };
    const isWanted = wanted.length === 0 || wanted.some(type => sameText(type, resultType));
    if (isWanted) return { expression, program, type: resultType };
    const got = `but got ${typeText(resultType)}`;
    const problem =
      wanted.length === 1
        ? `must evaluate to ${typeText(wanted[0]!)} ${got}`
        : `must evaluate to one of [${wanted.map(typeText).join(' ')}] ${got}`;
    return { expression, problem };
  }

  /** Compiles a variable that later expressions see as `variables.NAME`, of any type if it is wrong. */
  variable(name: string, expression: string): Compiled {
    const compiled = this.compile(expression, []);
    this.#fields.set(name, compiled.type ? declaredOf(compiled.type) : dynType);
    this.#environment = undefined;
    this.#authorized = undefined;
    return compiled;
  }

  #environmentOf(authorizer: boolean): Environment {
    this.#environment ??= this.#make();
    if (!authorizer) return this.#environment;
    return (this.#authorized ??= this.#environment.extend(authorization));
  }

  #make(): Environment {
    const base = this.#options.mutating ? bases.mutating() : bases.validating();
    const more: Record<string, DeclType> = {};
    if (this.#options.params) more['params'] = dynType;
    if (this.#fields.size > 0) {
      more['variables'] = declared(structType('kubernetes.variables'), { fields: new Map(this.#fields) });
    }
    return base.extend(more);
  }
}

/** Only simple types, lists and maps keep what they are. Upstream: convertCelTypeToDeclType. */
function declaredOf(type: Type): DeclType {
  const [first, second] = type.params;
  if (type.kind === 'list' && first) return list(declaredOf(first));
  if (type.kind === 'map' && first && second) {
    const [key, element] = [declaredOf(first), declaredOf(second)];
    return declared(mapOf(key.type, element.type), { key, element });
  }
  const simple = ['any', 'bool', 'bytes', 'double', 'duration', 'int', 'null', 'string', 'timestamp', 'uint'];
  return simple.includes(type.kind) && !type.nullable ? declared(type) : dynType;
}

function sameText(a: Type, b: Type): boolean {
  return a.kind === b.kind && typeText(a) === typeText(b);
}

/** As Go prints a type. */
function typeText(type: Type): string {
  return type.kind === 'null' || type.kind === 'duration' || type.kind === 'timestamp' ? type.name : type.toString();
}
