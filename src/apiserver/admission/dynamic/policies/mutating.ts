/**
 * MutatingAdmissionPolicy: policies in CEL that change what is written, by a configuration that is merged or a JSON
 * patch. Upstream: apiserver pkg/admission/plugin/policy/mutating/{dispatcher,compilation}.go and patch.
 */
import { AdmissionCompiler, resultTypes } from '#api/expressions';
import type { MutatingAdmissionPolicy } from '#api/types';
import { type Draft, type KubeObject, StatusError, semanticEqual } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from '../../chain.ts';
import { admissionForbidden } from '../../errors.ts';
import { type Compiled, OutOfBudget, PolicyRun, policyBudget, RequestValues } from '../evaluation.ts';
import { ConditionError, compileConditions, type MatchConditions } from '../match-conditions.ts';
import { type Invocation, isExemptFromPolicies } from '../matching.ts';
import { type Memory, memoryOf, requireAgain } from '../reinvocation.ts';
import { replaceDraft, VersionedObjects } from '../versioned.ts';
import { MutationError, merged, patched } from './apply-mutation.ts';
import {
  type BindingShape,
  type BoundPolicy,
  boundPolicies,
  collectParams,
  PolicyMisconfigured,
  paramResource,
  requestNamespace,
} from './source.ts';
import type { PolicyDeps } from './validating.ts';

const pluginName = 'MutatingAdmissionPolicy';

interface Mutation {
  readonly expression: Compiled;
  readonly merges: boolean;
}

interface CompiledPolicy {
  readonly matches: MatchConditions | undefined;
  readonly variables: ReadonlyMap<string, Compiled>;
  readonly mutations: readonly Mutation[];
  /** An error refuses; else it is passed over. */
  readonly fails: boolean;
  /** It wants to see what others change after it. */
  readonly reinvokes: boolean;
}

type Policy = MutatingAdmissionPolicy & KubeObject;
type Bound = BoundPolicy<Policy, CompiledPolicy>;

function compile({ spec = {} }: MutatingAdmissionPolicy): CompiledPolicy {
  const params = spec.paramKind !== undefined;
  const fails = spec.failurePolicy !== 'Ignore';
  const compiler = new AdmissionCompiler((spec.variables?.length ?? 0) > 0);
  const scope = { params, authorizer: true, patchTypes: true };
  const variables = new Map(
    (spec.variables ?? []).map(({ name, expression: text }) => [
      name,
      { text, compiled: compiler.addVariable(name, text, scope) },
    ]),
  );
  return {
    matches: compileConditions(spec.matchConditions, { fails, params }),
    variables,
    mutations: (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
      const merges = patchType === 'ApplyConfiguration';
      const text = (merges ? applyConfiguration : jsonPatch)?.expression ?? '';
      const wanted = merges ? resultTypes.applyConfiguration : resultTypes.jsonPatch;
      return { merges, expression: { text, compiled: compiler.compile(text, scope, wanted) } };
    }),
    fails,
    reinvokes: spec.reinvocationPolicy === 'IfNeeded',
  };
}

export function mutatingAdmissionPolicies(deps: PolicyDeps): AdmissionPlugin {
  const resources = { policies: 'mutatingadmissionpolicies', bindings: 'mutatingadmissionpolicybindings' };
  const bound = boundPolicies<Policy, CompiledPolicy>(deps, resources, compile);
  return {
    name: pluginName,
    handles: attributes => bound().length > 0 && !isExemptFromPolicies(attributes),
    async admit(attributes, draft) {
      const request = new Request(deps, attributes, draft);
      const runs: Run[] = [];
      for (const each of bound()) runs.push(...(await request.runsOf(each)));
      await request.mutate(runs);
      request.settle();
    },
  };
}

/** One policy with one binding and one set of parameters. */
interface Run {
  readonly bound: Bound;
  readonly binding: BindingShape;
  readonly invocation: Invocation;
  readonly params: KubeObject | null;
}

const idOf = ({ bound, binding, params }: Run): string =>
  [bound.policy, binding, params].map(each => `${each?.metadata.namespace ?? ''}/${each?.metadata.name ?? ''}`).join();

/** One request against all policies. */
class Request {
  readonly #deps: PolicyDeps;
  readonly #attributes: AdmissionAttributes;
  readonly #draft: Draft<KubeObject> | null;
  /** A mutation was made, whether or not it changed anything. */
  #applied = false;
  readonly #refusals: Array<{ readonly message: string; readonly reason: string | undefined }> = [];

  constructor(deps: PolicyDeps, attributes: AdmissionAttributes, draft: Draft<KubeObject> | null) {
    this.#deps = deps;
    this.#attributes = attributes;
    this.#draft = draft;
  }

  get #object(): KubeObject | null {
    return this.#draft as KubeObject | null;
  }

  /** What of a policy concerns the request as it was before any policy changed it. */
  async runsOf(bound: Bound): Promise<readonly Run[]> {
    const { policy, bindings } = bound;
    const attributes = this.#attributes;
    const invocation = await bound.matches(attributes, this.#object);
    if (!invocation) return [];
    const misconfigured = (binding: BindingShape | undefined, error: unknown): void => {
      if (!(error instanceof PolicyMisconfigured)) throw error;
      const what = binding ? 'binding' : 'policy';
      this.#refuse(bound, binding, `failed to configure ${what}: ${error.message}`, undefined);
    };
    try {
      if (policy.spec?.paramKind) paramResource(this.#deps.scheme, policy.spec.paramKind);
    } catch (error) {
      misconfigured(undefined, error);
      return [];
    }
    const runs: Run[] = [];
    for (const { binding, matches } of bindings) {
      if (!(await matches(attributes, this.#object))) continue;
      try {
        const { paramRef } = binding.spec ?? {};
        const all = await collectParams(this.#deps, policy.spec?.paramKind, paramRef, attributes.namespace);
        runs.push(...all.map(params => ({ bound, binding, invocation, params })));
      } catch (error) {
        misconfigured(binding, error);
      }
    }
    return runs;
  }

  async mutate(runs: readonly Run[]): Promise<void> {
    const { reinvocation } = this.#attributes;
    const memory = memoryOf(this.#attributes, pluginName);
    if (reinvocation.again && !semanticEqual(memory.output, this.#draft)) requireAgain(memory);
    for (const run of runs) {
      try {
        await this.#mutateBy(run, memory);
      } catch (error) {
        const told = error instanceof MutationError || error instanceof ConditionError || error instanceof OutOfBudget;
        if (!told) throw error;
        this.#refuse(run.bound, run.binding, error.message, 'Invalid');
      }
    }
    // Whoever mutated last may want to see that again, too.
    if (this.#applied) {
      requireAgain(memory);
      reinvocation.wanted = true;
    }
    memory.output = structuredClone(this.#object);
  }

  async #mutateBy(run: Run, memory: Memory): Promise<void> {
    const { reinvocation } = this.#attributes;
    const { compiled } = run.bound;
    if (compiled.matches && !(await compiled.matches(await this.#values(run), run.params))) return;
    const id = idOf(run);
    if (reinvocation.again && !memory.again.has(id)) return;
    const before = structuredClone(this.#object);
    for (const mutation of compiled.mutations) {
      if (!this.#draft) break;
      try {
        await this.#apply(run, mutation);
      } catch (error) {
        if (!(error instanceof MutationError || error instanceof OutOfBudget)) throw error;
        this.#refuse(run.bound, run.binding, error.message, 'Invalid');
      }
    }
    if (!semanticEqual(before, this.#object)) {
      requireAgain(memory);
      reinvocation.wanted = true;
    }
    if (compiled.reinvokes) memory.invoked.add(id);
  }

  /** What expressions see of the object as it is now. */
  async #values({ invocation }: Run): Promise<RequestValues> {
    const { lookup, authorizer } = this.#deps;
    const namespace = await requestNamespace(lookup, this.#attributes);
    const objects = new VersionedObjects(this.#attributes, this.#object);
    await objects.prepare(invocation);
    return new RequestValues(objects, invocation, { namespace, authorizer });
  }

  async #apply(run: Run, { expression, merges }: Mutation): Promise<void> {
    const { params, invocation, bound } = run;
    const values = await this.#values(run);
    const { variables } = bound.compiled;
    const outcome = await new PolicyRun(values, { params, variables, budget: policyBudget }).evaluate(expression);
    if (outcome.error !== undefined) throw new MutationError(outcome.error);
    const objects = new VersionedObjects(this.#attributes, this.#object);
    await objects.prepare(invocation);
    const object = objects.in(invocation).object!;
    const next = merges
      ? merged(this.#attributes, invocation, object, outcome.value)
      : patched(this.#deps.scheme, this.#attributes, invocation, object, outcome.value);
    this.#applied = true;
    if (!next) return;
    if (this.#attributes.ownKind) invocation.resource.rules.defaults?.(next);
    await replaceDraft(this.#attributes, this.#draft!, invocation, next);
  }

  #refuse(bound: Bound, binding: BindingShape | undefined, why: string, reason: string | undefined): void {
    if (!bound.compiled.fails) return;
    const by = binding === undefined ? '' : ` with binding '${binding.metadata.name}'`;
    this.#refusals.push({ message: `policy '${bound.policy.metadata.name}'${by} denied request: ${why}`, reason });
  }

  /** Throws when a policy refused, with the first one's message and all of them as causes. */
  settle(): void {
    const [first] = this.#refusals;
    if (!first) return;
    const { status } = admissionForbidden(this.#attributes, this.#object, first.message);
    const causes = [...(status.details?.causes ?? []), ...this.#refusals.map(({ message }) => ({ message }))];
    throw new StatusError({
      ...status,
      message: first.message,
      reason: first.reason ?? status.reason,
      details: { ...status.details, causes },
    } as never);
  }
}
