/**
 * ValidatingAdmissionPolicy: policies in CEL that refuse, warn or leave a trace in the audit log.
 * Upstream: apiserver pkg/admission/plugin/policy/validating/{validator,dispatcher}.go.
 */
import { AdmissionCompiler, resultTypes } from '#api/expressions';
import type { ValidatingAdmissionPolicy, Validation } from '#api/types';
import { byteLength, type KubeObject, StatusError, writeOrdered } from '#apimachinery';
import type { Clock } from '#base';
import type { Authorizer } from '../../../authorization/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../chain.ts';
import { admissionForbidden } from '../../errors.ts';
import type { PolicyAction, PolicyMetrics } from '../../metrics.ts';
import { type Compiled, OutOfBudget, PolicyRun, policyBudget, RequestValues } from '../evaluation.ts';
import { ConditionError, compileConditions, type MatchConditions } from '../match-conditions.ts';
import { isExemptFromPolicies } from '../matching.ts';
import { VersionedObjects } from '../versioned.ts';
import {
  type BindingShape,
  type BoundPolicy,
  boundPolicies,
  collectParams,
  PolicyMisconfigured,
  paramResource,
  requestNamespace,
  type SourceDeps,
} from './source.ts';

export interface PolicyDeps extends SourceDeps {
  readonly authorizer: Authorizer;
}

export interface ValidatingPolicyDeps extends PolicyDeps {
  readonly clock: Clock;
  readonly metrics: PolicyMetrics;
}

const maxMessageBytes = 5 * 1024;
const maxAnnotationBytes = 10 * 1024;

interface CompiledPolicy {
  readonly matches: MatchConditions | undefined;
  readonly variables: ReadonlyMap<string, Compiled>;
  readonly validations: ReadonlyArray<{
    readonly validation: Validation;
    readonly expression: Compiled;
    readonly message: Compiled | undefined;
  }>;
  readonly annotations: ReadonlyArray<{ readonly key: string; readonly value: Compiled }>;
  /** An error refuses; else it is passed over. */
  readonly fails: boolean;
}

function compile({ spec = {} }: ValidatingAdmissionPolicy): CompiledPolicy {
  const params = spec.paramKind !== undefined;
  const fails = spec.failurePolicy !== 'Ignore';
  const compiler = new AdmissionCompiler((spec.variables?.length ?? 0) > 0);
  const scope = { params, authorizer: true };
  const ready = (text: string, wanted: readonly string[], authorizer = true): Compiled => ({
    text,
    compiled: compiler.compile(text, { params, authorizer }, wanted),
  });
  const variables = new Map(
    (spec.variables ?? []).map(({ name, expression: text }) => [
      name,
      { text, compiled: compiler.addVariable(name, text, scope) },
    ]),
  );
  return {
    matches: compileConditions(spec.matchConditions, { fails, params }),
    variables,
    validations: (spec.validations ?? []).map(validation => ({
      validation,
      expression: ready(validation.expression, resultTypes.condition),
      message: validation.messageExpression
        ? ready(validation.messageExpression, resultTypes.message, false)
        : undefined,
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      value: ready(valueExpression, resultTypes.auditAnnotation),
    })),
    fails,
  };
}

/** One thing that a policy objects to. */
interface Objection {
  readonly message: string;
  /** Upstream's default is Invalid. */
  readonly reason: string | undefined;
  /** Of the expression, for audit. */
  readonly index: number;
  /** What the expression took. */
  readonly seconds: number;
}

/** One that refuses the request, whatever a binding's actions are when it could not be asked. */
interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string | undefined;
}

type Bound = BoundPolicy<ValidatingAdmissionPolicy & KubeObject, CompiledPolicy>;

export function validatingAdmissionPolicies(deps: ValidatingPolicyDeps): AdmissionPlugin {
  const resources = { policies: 'validatingadmissionpolicies', bindings: 'validatingadmissionpolicybindings' };
  const bound = boundPolicies<ValidatingAdmissionPolicy & KubeObject, CompiledPolicy>(deps, resources, compile);
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: attributes => bound().length > 0 && !isExemptFromPolicies(attributes),
    async validate(attributes, object) {
      const request = new Request(deps, attributes, object);
      for (const each of bound()) await request.hold(each);
      request.settle();
      return undefined;
    },
  };
}

/** One request against all policies. */
class Request {
  readonly #deps: ValidatingPolicyDeps;
  readonly #attributes: AdmissionAttributes;
  readonly #object: KubeObject | null;
  readonly #objects: VersionedObjects;
  readonly #denials: Denial[] = [];

  constructor(deps: ValidatingPolicyDeps, attributes: AdmissionAttributes, object: KubeObject | null) {
    this.#deps = deps;
    this.#attributes = attributes;
    this.#object = object;
    this.#objects = new VersionedObjects(attributes, object);
  }

  async hold(bound: Bound): Promise<void> {
    const { policy, matches, bindings } = bound;
    const attributes = this.#attributes;
    const invocation = await matches(attributes, this.#object);
    if (!invocation) return;
    const annotations = new Map<string, Set<string>>();
    try {
      if (policy.spec?.paramKind) paramResource(this.#deps.scheme, policy.spec.paramKind);
    } catch (error) {
      this.#misconfigured(bound, undefined, error);
      return;
    }
    const namespace = await requestNamespace(this.#deps.lookup, attributes);
    const { authorizer } = this.#deps;
    await this.#objects.prepare(invocation);
    const values = new RequestValues(this.#objects, invocation, { namespace, authorizer });
    for (const each of bindings) {
      const { binding } = each;
      if (!(await each.matches(attributes, this.#object))) continue;
      try {
        const { paramRef } = binding.spec ?? {};
        const all = await collectParams(this.#deps, policy.spec?.paramKind, paramRef, attributes.namespace);
        for (const params of all) await this.#run({ bound, binding, values, params, annotations });
      } catch (error) {
        this.#misconfigured(bound, binding, error);
      }
    }
    const { name } = policy.metadata;
    for (const [key, texts] of annotations) attributes.annotate(`${name}/${key}`, [...texts].join(', '));
  }

  #misconfigured({ policy, compiled }: Bound, binding: BindingShape | undefined, error: unknown): void {
    if (!(error instanceof PolicyMisconfigured)) throw error;
    if (!compiled.fails) return;
    this.#denials.push({
      policy: policy.metadata.name!,
      binding: binding?.metadata.name,
      message: `failed to configure ${binding ? 'binding' : 'policy'}: ${error.message}`,
      reason: undefined,
    });
  }

  async #run(at: {
    readonly bound: Bound;
    readonly binding: BindingShape;
    readonly values: RequestValues;
    readonly params: KubeObject | null;
    readonly annotations: Map<string, Set<string>>;
  }): Promise<void> {
    const { compiled, policy } = at.bound;
    const outcome = await judge(compiled, at.values, at.params, this.#deps.clock);
    for (const objection of outcome.objections) this.#act(at.bound, at.binding, objection);
    for (const [key, value] of outcome.annotations) {
      const texts = at.annotations.get(key) ?? new Set();
      at.annotations.set(key, texts.add(value.slice(0, maxAnnotationBytes)));
    }
    for (const message of outcome.annotationErrors) {
      this.#denials.push({
        policy: policy.metadata.name!,
        binding: at.binding.metadata.name,
        message,
        reason: undefined,
      });
    }
  }

  #act({ policy }: Bound, binding: BindingShape, { message, reason, index, seconds }: Objection): void {
    const [policyName, bindingName] = [policy.metadata.name!, binding.metadata.name!];
    const { validationActions = [] } = binding.spec ?? {};
    for (const action of validationActions) {
      this.#deps.metrics.objected(policyName, bindingName, action.toLowerCase() as PolicyAction, seconds);
      if (action === 'Deny') this.#denials.push({ policy: policyName, binding: bindingName, message, reason });
      else if (action === 'Warn') {
        this.#attributes.warn(
          `Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${message}`,
        );
      } else {
        const failure = {
          message,
          policy: policyName,
          binding: bindingName,
          expressionIndex: index,
          validationActions,
        };
        this.#attributes.annotate('validation.policy.admission.k8s.io/validation_failure', writeOrdered([failure]));
      }
    }
  }

  /** Throws the first refusal. */
  settle(): void {
    const [first] = this.#denials;
    if (!first) return;
    const who = `ValidatingAdmissionPolicy '${first.policy}'${first.binding === undefined ? '' : ` with binding '${first.binding}'`}`;
    const message = `${who} denied request: ${first.message}`;
    const { status } = admissionForbidden(this.#attributes, this.#object, message);
    const reason = first.reason ?? 'Invalid';
    const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message }] };
    throw new StatusError({ ...status, reason, code: codes[reason] ?? 422, details } as never);
  }
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

interface Judgement {
  readonly objections: readonly Objection[];
  readonly annotations: ReadonlyArray<readonly [key: string, value: string]>;
  readonly annotationErrors: readonly string[];
}

const nothing: Judgement = { objections: [], annotations: [], annotationErrors: [] };

/** Runs one policy with one set of parameters. */
async function judge(
  policy: CompiledPolicy,
  values: RequestValues,
  params: KubeObject | null,
  clock: Clock,
): Promise<Judgement> {
  const failed = (message: string): Judgement =>
    policy.fails ? { ...nothing, objections: [{ message, reason: undefined, index: 0, seconds: 0 }] } : nothing;
  try {
    if (policy.matches && !(await policy.matches(values, params))) return nothing;
    const run = new PolicyRun(values, { params, variables: policy.variables, budget: policyBudget });
    const objections: Objection[] = [];
    for (const [index, { validation, expression, message }] of policy.validations.entries()) {
      const begunMs = clock.monotonicMs();
      const { value, error } = await run.evaluate(expression);
      const seconds = (clock.monotonicMs() - begunMs) / 1000;
      if (error !== undefined) {
        if (policy.fails) objections.push({ message: error, reason: undefined, index, seconds });
      } else if (value !== true) {
        const told = message ? await messageOf(run, message) : '';
        objections.push({ message: told || fallback(validation), reason: validation.reason, index, seconds });
      }
    }
    return { objections, ...(await annotationsOf(policy, values, params)) };
  } catch (error) {
    if (error instanceof ConditionError || error instanceof OutOfBudget) return failed(error.message);
    throw error;
  }
}

function fallback({ message, expression }: Validation): string {
  return message?.trim() || `failed expression: ${expression.trim()}`;
}

/** One line of bounded length, or empty. */
async function messageOf(run: PolicyRun, message: Compiled): Promise<string> {
  try {
    const { value } = await run.evaluate(message);
    const text = typeof value === 'string' ? value.trim() : '';
    return text.includes('\n') || byteLength(text) > maxMessageBytes ? '' : text;
  } catch (error) {
    if (error instanceof OutOfBudget) throw new OutOfBudget(`failed messageExpression: ${error.message}`);
    throw error;
  }
}

async function annotationsOf(
  policy: CompiledPolicy,
  values: RequestValues,
  params: KubeObject | null,
): Promise<Pick<Judgement, 'annotations' | 'annotationErrors'>> {
  const run = new PolicyRun(values, { params, variables: policy.variables, budget: policyBudget });
  const annotations: Array<readonly [string, string]> = [];
  const annotationErrors: string[] = [];
  for (const { key, value: expression } of policy.annotations) {
    const { value, error } = await run.evaluate(expression);
    if (error !== undefined) {
      if (policy.fails) annotationErrors.push(error);
    } else if (typeof value === 'string' && value.trim() !== '') annotations.push([key, value.trim()]);
  }
  return { annotations, annotationErrors };
}
