/**
 * Admission: an ordered list of plugins that may change, then must accept, what is about to be written.
 * Upstream: apiserver pkg/admission, pkg/kubeapiserver/options/plugins.go for names and order.
 */
import {
  type DeleteOptions,
  type Draft,
  type GroupVersionKind,
  type KubeObject,
  managedFieldsProblem,
} from '#apimachinery';
import type { AuditLevel } from '../audit/event.ts';
import type { LatencyLayer } from '../audit/latency.ts';
import type { UserInfo } from '../authentication/user.ts';
import { type Companions, joinCompanions } from '../registry/object-store.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { AdmissionMetrics, AdmissionStep } from './metrics.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** What is about to happen. Objects are of the stored version. */
export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  /** As it is stored. */
  readonly resource: ServedResource;
  /** As the request names it: the same, or another version or group of it. */
  readonly requested: ServedResource;
  /** Of the object that was sent; a subresource may have its own. */
  readonly kind: GroupVersionKind;
  /** The object is of the resource's kind, so it has the resource's versions. */
  readonly ownKind: boolean;
  readonly subresource: string;
  readonly namespace: string;
  /** Empty while a name is yet to be generated. */
  readonly name: string;
  /** As the path has it: none for what is posted to a collection. */
  readonly pathName?: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly options: DeleteOptions | Readonly<Record<string, unknown>>;
  /** Null on create. */
  readonly old: KubeObject | null;
  readonly warn: (text: string) => void;
  /** Adds an annotation to the request's audit event, if that tells as much as `level`, else Metadata. */
  readonly annotate: (key: string, value: string, level?: AuditLevel) => void;
  /** Time that is spent on others, for the audit event of a slow request; ends with the call of what it answers. */
  readonly timer?: (layer: LatencyLayer) => () => void;
  readonly reinvocation: Reinvocation;
  /** Aborts when whoever asks has gone away. */
  readonly signal?: AbortSignal;
  /** When the request ends, by the monotonic clock; absent where it may last. */
  readonly deadlineMs?: number;
}

/** Whether plugins that ran before another changed the object want to see it again. One a request. */
export class Reinvocation {
  /** The second round is on. */
  again = false;
  /** A plugin has asked for a second round. */
  wanted = false;
  /** What plugins remember of the first round, by their name. */
  readonly memory: Map<string, unknown> = new Map();
}

export interface AdmissionPlugin {
  readonly name: string;
  handles(attributes: AdmissionAttributes): boolean;
  /** May change the draft (null on delete and connect). Must be idempotent. */
  admit?(attributes: AdmissionAttributes, draft: Draft<KubeObject> | null): Promise<void> | void;
  /** Throws a StatusError to refuse. May answer what is to be committed together with the object. */
  validate?(
    attributes: AdmissionAttributes,
    object: KubeObject | null,
  ): Promise<Companions | undefined> | Companions | undefined;
}

export class AdmissionChain {
  readonly plugins: readonly AdmissionPlugin[];
  readonly #metrics: AdmissionMetrics;

  constructor(plugins: readonly AdmissionPlugin[], metrics: AdmissionMetrics) {
    this.plugins = plugins;
    this.#metrics = metrics;
  }

  async admit(attributes: AdmissionAttributes, draft: Draft<KubeObject> | null): Promise<void> {
    const owners = draft?.metadata?.managedFields;
    await this.#step('admit', attributes, async () => {
      await this.#admitOnce(attributes, draft);
      const { reinvocation } = attributes;
      if (!reinvocation.wanted) return;
      reinvocation.again = true;
      await this.#admitOnce(attributes, draft);
    });
    resetOwners(attributes, draft, owners);
  }

  async #admitOnce(attributes: AdmissionAttributes, draft: Draft<KubeObject> | null): Promise<void> {
    await this.#each('admit', attributes, plugin => plugin.admit?.(attributes, draft));
  }

  /** Answers what must commit with the object; the caller hands it to the store, or releases it. */
  validate(attributes: AdmissionAttributes, object: KubeObject | null): Promise<Companions | undefined> {
    return this.#step('validate', attributes, async () => {
      let companions: Companions | undefined;
      try {
        await this.#each(
          'validate',
          attributes,
          plugin => plugin.validate?.(attributes, object),
          more => {
            if (more) companions = joinCompanions(companions, more);
          },
        );
      } catch (error) {
        companions?.release?.();
        throw error;
      }
      return companions;
    });
  }

  /** Asks the plugins that have something to say in this step, one after another, and counts what each takes. */
  async #each<T>(
    step: AdmissionStep,
    attributes: AdmissionAttributes,
    ask: (plugin: AdmissionPlugin) => Promise<T> | T,
    said: (answer: T) => void = () => {},
  ): Promise<void> {
    const { operation } = attributes;
    let begunMs = this.#metrics.now();
    for (const plugin of this.plugins) {
      if (!plugin[step] || !plugin.handles(attributes)) continue;
      const about = { plugin: plugin.name, step, operation };
      try {
        const answer = ask(plugin);
        said(answer instanceof Promise ? await answer : answer);
      } catch (error) {
        this.#metrics.observe(begunMs, { ...about, rejected: true });
        throw error;
      }
      begunMs = this.#metrics.observe(begunMs, { ...about, rejected: false });
    }
  }

  async #step<T>(step: AdmissionStep, { operation }: AdmissionAttributes, work: () => Promise<T>): Promise<T> {
    const begunMs = this.#metrics.now();
    let rejected = true;
    try {
      const result = await work();
      rejected = false;
      return result;
    } finally {
      this.#metrics.observe(begunMs, { step, operation, rejected });
    }
  }
}

/** Owners that a webhook or policy made unreadable are those from before. Upstream: fieldmanager/admission.go. */
function resetOwners(
  { warn }: AdmissionAttributes,
  draft: Draft<KubeObject> | null,
  before: Draft<KubeObject>['metadata']['managedFields'],
): void {
  if (!draft?.metadata || draft.metadata.managedFields === before) return;
  const problem = managedFieldsProblem(draft.metadata.managedFields);
  if (problem === undefined) return;
  if (before === undefined) delete draft.metadata.managedFields;
  else draft.metadata.managedFields = before;
  warn(
    `.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${problem}`,
  );
}
