/**
 * Expressions of admission webhooks and policies: which variables they see, and how they are compiled, for rules that
 * refuse what cannot be compiled and for admission that evaluates it. Upstream: k8s.io/apiserver
 * pkg/admission/plugin/cel/{compile,composition}.go.
 */
import {
  authorizerType,
  type DeclType,
  dynType,
  type Environment,
  type Program,
  resourceCheckType,
  type Type,
} from '#apimachinery/cel';
import { baseEnvironment } from './base.ts';
import {
  boolDecl,
  intDecl,
  listDecl,
  mapDecl,
  resultDecl,
  stringDecl,
  structDecl,
  timestampDecl,
  typeText,
} from './declare.ts';
import { patchEnvironment } from './patch-types.ts';

const kindDecl = structDecl('kubernetes.GroupVersionKind', {
  group: stringDecl,
  version: stringDecl,
  kind: stringDecl,
});
const resourceDecl = structDecl('kubernetes.GroupVersionResource', {
  group: stringDecl,
  version: stringDecl,
  resource: stringDecl,
});

/** `request`: the AdmissionRequest without uid and objects. */
export const requestDecl: DeclType = structDecl('kubernetes.AdmissionRequest', {
  kind: kindDecl,
  resource: resourceDecl,
  subResource: stringDecl,
  requestKind: kindDecl,
  requestResource: resourceDecl,
  requestSubResource: stringDecl,
  name: stringDecl,
  namespace: stringDecl,
  operation: stringDecl,
  userInfo: structDecl('kubernetes.UserInfo', {
    username: stringDecl,
    uid: stringDecl,
    groups: listDecl(stringDecl),
    extra: mapDecl(stringDecl, listDecl(stringDecl)),
  }),
  dryRun: boolDecl,
  options: dynType,
});

/** `namespaceObject`, with fewer fields than a Namespace has. */
export const namespaceDecl: DeclType = structDecl('kubernetes.Namespace', {
  metadata: structDecl('kubernetes.NamespaceMetadata', {
    name: stringDecl,
    generateName: stringDecl,
    namespace: stringDecl,
    labels: mapDecl(stringDecl, stringDecl),
    annotations: mapDecl(stringDecl, stringDecl),
    UID: stringDecl,
    creationTimestamp: timestampDecl,
    deletionGracePeriodSeconds: intDecl,
    deletionTimestamp: timestampDecl,
    generation: intDecl,
    resourceVersion: stringDecl,
    finalizers: listDecl(stringDecl),
  }),
  spec: structDecl('kubernetes.NamespaceSpec', { finalizers: listDecl(stringDecl) }),
  status: structDecl('kubernetes.NamespaceStatus', {
    conditions: listDecl(
      structDecl('kubernetes.NamespaceCondition', {
        status: stringDecl,
        type: stringDecl,
        lastTransitionTime: timestampDecl,
        message: stringDecl,
        reason: stringDecl,
      }),
    ),
    phase: stringDecl,
  }),
});

/** Which variables and types there are beside those that always are. */
export interface AdmissionVariables {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** `Object{…}` and `JSONPatch{…}` can be made, keys of patches escaped. */
  readonly patchTypes?: boolean;
}

/** A program, or why there is none, in upstream's words. */
export type CompiledExpression =
  | { readonly program: Program; readonly resultType: Type; readonly error?: undefined }
  | {
      readonly program?: undefined;
      readonly resultType?: undefined;
      readonly error: string;
      /** Upstream takes it for a fault of the server: constants that the checker let pass. */
      readonly isInternal?: boolean;
    };

/** What expressions of each sort must evaluate to, by the names of types. */
export const resultTypes = {
  condition: ['bool'],
  message: ['string'],
  auditAnnotation: ['string', 'null_type'],
  applyConfiguration: ['Object'],
  jsonPatch: ['list(JSONPatch)'],
} as const;

/**
 * Compiles the expressions of one policy or webhook. With `composed`, variables that were added are seen by the
 * expressions after them as `variables.NAME`.
 */
export class AdmissionCompiler {
  readonly #composed: boolean;
  readonly #variables: Record<string, DeclType> = {};

  constructor(composed: boolean) {
    this.#composed = composed;
  }

  /** `wanted`: names of types; none for any. */
  compile(text: string, variables: AdmissionVariables, wanted: readonly string[]): CompiledExpression {
    const compiled = this.#environment(variables).compile(text);
    if (compiled.failed === 'compilation') return { error: compiled.fault };
    const got = typeText(compiled.resultType);
    if (wanted.length > 0 && !wanted.includes(got)) {
      const list = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(' ')}]`;
      return { error: `must evaluate to ${list} but got ${got}` };
    }
    return compiled.failed ? { error: compiled.fault, isInternal: true } : compiled;
  }

  /** Compiles a variable; later expressions see it even if that fails. */
  addVariable(name: string, text: string, variables: AdmissionVariables): CompiledExpression {
    const compiled = this.compile(text, variables, []);
    this.#variables[name] = resultDecl(compiled.resultType);
    return compiled;
  }

  #environment({ params, authorizer, patchTypes = false }: AdmissionVariables): Environment {
    return (patchTypes ? patchEnvironment() : baseEnvironment()).extend({
      object: dynType,
      oldObject: dynType,
      namespaceObject: namespaceDecl,
      request: requestDecl,
      ...(params && { params: dynType }),
      ...(authorizer && authorizerDecls),
      ...(this.#composed && { variables: structDecl('kubernetes.variables', this.#variables) }),
    });
  }
}

const opaqueDecl = (type: Type): DeclType => ({ type, minSerializedSize: 0, maxElements: 0 });

const authorizerDecls: Readonly<Record<string, DeclType>> = {
  authorizer: opaqueDecl(authorizerType),
  'authorizer.requestResource': opaqueDecl(resourceCheckType),
};
