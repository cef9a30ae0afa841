/**
 * Conditions that narrow a webhook or a policy beyond its rules. Upstream: apiserver
 * pkg/admission/plugin/webhook/matchconditions/matcher.go.
 */
import { AdmissionCompiler, resultTypes } from '#api/expressions';
import type { KubeObject } from '#apimachinery';
import { conditionsBudget, OutOfBudget, PolicyRun, type RequestValues } from './evaluation.ts';

/** An error in a condition, where it refuses the request: its message is for the client. */
export class ConditionError extends Error {
  override readonly name = 'ConditionError';
}

/** Answers whether all conditions hold. Throws a ConditionError where an error refuses the request. */
export type MatchConditions = (values: RequestValues, params: KubeObject | null) => Promise<boolean>;

export interface ConditionOptions {
  /** An error refuses; else it is as if a condition did not hold. */
  readonly fails: boolean;
  /** The policy has a kind of parameters. */
  readonly params: boolean;
}

/** Conditions ready to ask; undefined when there are none. */
export function compileConditions(
  conditions: ReadonlyArray<{ readonly expression: string }> | undefined,
  { fails, params: hasParams }: ConditionOptions,
): MatchConditions | undefined {
  if (!conditions?.length) return undefined;
  const compiler = new AdmissionCompiler(false);
  const variables = { params: hasParams, authorizer: true };
  const compiled = conditions.map(({ expression: text }) => ({
    text,
    compiled: compiler.compile(text, variables, resultTypes.condition),
  }));
  return async (values, params) => {
    const run = new PolicyRun(values, { params, variables: new Map(), budget: conditionsBudget });
    const errors: string[] = [];
    let holds = true;
    try {
      for (const each of compiled) {
        const { value, error } = await run.evaluate(each);
        if (error !== undefined) errors.push(error);
        else if (value === false) holds = false;
      }
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      if (fails) throw new ConditionError(error.message);
      return false;
    }
    // One that does not hold settles it, whatever the others came to.
    if (!holds) return false;
    if (errors.length === 0) return true;
    if (!fails) return false;
    throw new ConditionError(errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`);
  };
}
