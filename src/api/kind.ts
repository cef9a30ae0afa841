/**
 * A kind is one record: the facts that are generated (names, verbs, subresources) and the rules that are written by
 * hand. 190 kinds read alike because each is `export const rules: KindRules<Pod> = { … }` in
 * `api/<group>/<version>/<kind>/rules.ts`, listed in `rules.ts`. Upstream: pkg/registry/<group>/<kind>/strategy.go,
 * pkg/apis/<group>/<version>/defaults.go, pkg/apis/<group>/validation/validation.go.
 */
import type { Draft, FieldError, FieldPath, GroupVersionKind, KubeObject } from '#apimachinery';

/** Generated from the reference facts by `hack/update-api` into `resources.gen.ts`: one a served resource. */
export interface ResourceFacts {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower-case plural, as in paths. */
  readonly resource: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Definition name, as `io.k8s.api.core.v1.Pod`: key of the type tables. */
  readonly typeName: string;
  readonly subresources: readonly SubresourceFacts[];
  /**
   * Version in which this kind is stored, one of those served: the hub of conversions.
   * Deviation: upstream stores CustomResourceDefinition and the mutating admission policies as v1beta1, which is not
   * served by default; here they are stored as v1. `storageVersionHash` is upstream's all the same.
   */
  readonly storageVersion: string;
  /** Storage group, where upstream stores a kind under another group (events). */
  readonly storageGroup: string;
  /** Upstream's hash that aggregated and legacy discovery show. */
  readonly storageVersionHash?: string;
}

export interface SubresourceFacts {
  /** `status`, `scale`, `log`, `exec` … */
  readonly name: string;
  readonly kind: GroupVersionKind;
  readonly verbs: readonly string[];
  /** Definition name of `kind`. */
  readonly typeName: string;
}

/** One API group as discovery lists it. */
export interface GroupFacts {
  readonly name: string;
  /** Served versions, the preferred one first. */
  readonly versions: readonly string[];
  readonly preferredVersion: string;
}

/** What rules may know about the request. */
export interface RuleContext {
  /** Wall milliseconds; rules never ask a clock. */
  readonly nowMs: number;
  readonly namespace: string;
  /** Empty for the main resource. */
  readonly subresource: string;
  /** Group and version of the request (`events.k8s.io/v1`), where rules depend on it; absent is the hub's. */
  readonly groupVersion?: string;
  /** Labels of the namespace of the request, for kinds whose rules ask for them (claims for devices). */
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  /** What was found against a write to the status by asking who may (claims for devices). */
  readonly refusals?: readonly FieldError[];
  /** What was found against the metadata of an object to be created, when anything was. */
  readonly metaErrors?: readonly FieldError[];
  /** What is wrong with what a custom object says it is: stands in place of what its schema would say. */
  readonly kindErrors?: readonly FieldError[];
  readonly random: { uuid(): string; suffix(length: number): string };
  /** Tells the client something of what a preparation did; the text stands in a `Warning:` header, errors or not. */
  readonly warn?: (text: string) => void;
  /** Name of the requesting user (certificate requests, token reviews). */
  readonly user: {
    readonly name: string;
    readonly uid: string;
    readonly groups: readonly string[];
    readonly extra: Readonly<Record<string, readonly string[]>>;
  };
  /** Settings of the server that rules depend on. */
  readonly config: {
    readonly allowPrivileged: boolean;
    readonly serviceCidrs: readonly string[];
    readonly nodePortRange: readonly [number, number];
    /** The feature of this name: pods may mount ClusterTrustBundles. */
    readonly clusterTrustBundleProjection?: boolean;
  };
}

/** Field selectors of a kind. Upstream: its field label conversion in `names` and `renamed`, ToSelectableFields in `read`. */
export interface SelectableFields<T> {
  /** What a selector may name in this version. */
  readonly names: readonly string[];
  /** Names that the stored version has under another. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Asked of the stored version only. */
  read(object: T): Readonly<Record<string, string>>;
}

/** What a write to one subresource does to the object. */
export interface SubresourceRules<T extends KubeObject = KubeObject> {
  /** Sets back what this subresource does not change. */
  prepare(draft: Draft<T>, old: T, context: RuleContext): void;
  validate?(object: T, old: T, context: RuleContext): FieldError[];
  /** As {@link KindRules.metaOnUpdate}. */
  metaOnUpdate?: readonly ('full' | 'change')[];
}

/** Hand-written rules of one kind in one version. Everything is optional: what is absent has upstream's generic rule. */
export interface KindRules<T extends KubeObject = KubeObject> {
  /** Fills absent fields, in the request's version, on create, update and after patches. Must be idempotent. */
  defaults?(draft: Draft<T>): void;
  /**
   * Refusals of a complete object in upstream's order, without those of ObjectMeta (the registry adds these first).
   * `old` is null on create. Validation that only concerns updates (immutability) stands here too.
   */
  validate?(object: T, old: T | null, context: RuleContext): FieldError[];
  /** Refusals of an update that come after all else, the looks at metadata included. */
  validateChange?(object: T, old: T, context: RuleContext): FieldError[];
  /** Refusals of a write to `/status`. */
  validateStatus?(object: T, old: T, context: RuleContext): FieldError[];
  /** Before validation on create: drops status, sets generated fields. Default: removes `status` if there is such a subresource. */
  prepareCreate?(draft: Draft<T>, context: RuleContext): void;
  /** Before validation on update: keeps what a client may not change. Default: keeps `old.status`. */
  prepareUpdate?(draft: Draft<T>, old: T, context: RuleContext): void;
  /** A write to `/status`. Default: everything but `status` (and some metadata) is kept from `old`. */
  prepareStatus?(draft: Draft<T>, old: T, context: RuleContext): void;
  /** Strategies of further subresources that are written like the object itself: `resize`, `finalize` … */
  subresources?: Readonly<Record<string, SubresourceRules<T>>>;
  /** Last touch after validation (upstream's Canonicalize). */
  canonicalize?(draft: Draft<T>): void;
  /**
   * How the kind's own update validation looks at metadata after the generic look at it, in order: `full` as on create,
   * `change` against the old one. Upstream tells each complaint as often as it looks. `own` stands where `validate` does; at the end if not named. Default: `change` once.
   */
  metaOnUpdate?: readonly ('full' | 'own' | 'change')[];
  /** The same for writes to `/status`. Default: `change` once. */
  metaOnStatus?: readonly ('full' | 'change')[];
  /**
   * What the kind's own validation asks of metadata: `core` as `generic`, and that finalizers without a domain are
   * Kubernetes's own; `none` leaves it to what holds for all kinds. Default: `generic`.
   */
  metaRule?: 'core' | 'generic' | 'none';
  /** `Warning:` header texts of a create or update of the main resource; `old` is null on create. */
  warnings?(object: T, old: T | null, context: RuleContext): string[];
  /** The same of a write to `/status`. */
  statusWarnings?(object: T, old: T, context: RuleContext): string[];
  /** Refusals of a name or generateName base; default is the DNS subdomain. Texts as upstream's validators give them. */
  validateName?(name: string, prefix: boolean): string[];
  /**
   * Whether `metadata.generation` is kept: it begins at 1 and rises when anything but metadata and status changed
   * (or as `changed` says). `exact`: `changed` is given the empty lists and maps of the new object too, for kinds that
   * upstream compares with reflect.DeepEqual. `early`: it is asked before `prepareUpdate`, for kinds of which upstream
   * drops fields only then. Default false: upstream's kinds without generation have none.
   */
  generation?:
    | boolean
    | { changed(object: T, old: T, context: RuleContext): boolean; exact?: boolean; early?: boolean };
  /** Field selectors beyond metadata.name and metadata.namespace, as strings. */
  selectableFields?: SelectableFields<T>;
  /** PUT of a name that does not exist creates it. */
  allowCreateOnUpdate?: boolean;
  /** PUT without a resourceVersion is refused when false (default true). */
  allowUnconditionalUpdate?: boolean;
  /** Grace period in seconds that a delete gets when the client gives none; undefined: deleted at once. */
  gracePeriodSeconds?(object: T): number | undefined;
  /**
   * What a delete without `propagationPolicy` does to dependents; default Background. Upstream keeps Orphan where it
   * always was so: rest.GarbageCollectionDeleteStrategy of batch/v1 Jobs and of ReplicationControllers.
   */
  defaultPropagation?: 'Background' | 'Orphan';
  /** A `Warning:` for every delete that leaves the propagation policy open, whether or not the object is there. */
  openPropagationWarning?: string;
  /** Why an object of this name is not to be deleted by itself; collections are not asked. */
  readonly keeps?: (name: string) => string | undefined;
  /** Between this version and the stored one; both pure. Only where a group serves the kind in several versions. */
  toHub?(object: T): KubeObject;
  fromHub?(hub: KubeObject): T;
  /** Fields that another path names, for ratcheting and errors. */
  readonly path?: FieldPath;
}

/** Facts and rules together. */
export interface KindRecord<T extends KubeObject = KubeObject> extends ResourceFacts {
  readonly rules: KindRules<T>;
}
