/**
 * Turns the configuration objects into levels and schemas at work: whenever one changes, all are read anew. Levels that
 * are no longer wanted stay until their requests have ended; the mandatory ones are there without their objects too.
 * Upstream: apiserver pkg/util/flowcontrol/apf_controller.go (cfgMeal).
 */
import type { FlowSchema, PriorityLevelConfiguration } from '#api/types';
import type { Clock, Logger } from '#base';
import { allocateConcurrency } from './concurrency-allocation.ts';
import { flowSchemas, mandatoryNames, priorityLevels } from './defaults.ts';
import { comparePrecedence, compileMatcher, type RequestDigest } from './matching.ts';
import type { FlowControlMetrics, FlowMetrics } from './metrics.ts';
import { PriorityLevel, queuingOf } from './priority-level.ts';
import type { Flow } from './queue-set.ts';
import { flowHash } from './shuffle-sharding.ts';

const apiVersion = 'flowcontrol.apiserver.k8s.io/v1';
/** Of one schema: users or namespaces beyond that are dealt their queues anew each time. */
const maxFlows = 10_000;

/** A schema at work. */
export class ActiveSchema {
  readonly name: string;
  readonly uid: string;
  readonly level: PriorityLevel;
  readonly matches: (digest: RequestDigest) => boolean;
  readonly #method: string | undefined;
  readonly #metrics: FlowMetrics;
  readonly #flows = new Map<string, Flow>();

  constructor(schema: FlowSchema, level: PriorityLevel, metrics: FlowMetrics) {
    this.name = schema.metadata.name ?? '';
    this.uid = schema.metadata.uid ?? '';
    this.level = level;
    this.matches = compileMatcher(schema);
    this.#method = schema.spec.distinguisherMethod?.type;
    this.#metrics = metrics;
  }

  flow({ info, user }: RequestDigest): Flow {
    const distinguisher = this.level.queuing.queues > 1 ? this.#distinguisher(info.namespace, user.name) : '';
    let flow = this.#flows.get(distinguisher);
    if (flow) return flow;
    const hash = this.level.queuing.queues > 1 ? flowHash(this.name, distinguisher) : 0n;
    flow = { schema: this.name, distinguisher, hash, metrics: this.#metrics };
    if (this.#flows.size >= maxFlows) this.#flows.clear();
    this.#flows.set(distinguisher, flow);
    return flow;
  }

  #distinguisher(namespace: string, user: string): string {
    if (this.#method === 'ByUser') return user;
    return this.#method === 'ByNamespace' ? namespace : '';
  }
}

/** The condition that a schema should have. */
export interface DanglingCondition {
  readonly schema: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export interface ConfigurationDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: FlowControlMetrics;
  /** Seats of the whole server. */
  readonly serverLimit: number;
}

/** Told how many requests may wait and execute in all levels together. */
export type OnTotals = (waiting: number, executing: number) => void;

export class Configuration {
  readonly #deps: ConfigurationDeps;
  readonly #onTotals: OnTotals;
  #levels = new Map<string, PriorityLevel>();
  #schemas: readonly ActiveSchema[] = [];
  #nominalSum = 0;

  /** Begins with the mandatory objects alone. */
  constructor(deps: ConfigurationDeps, onTotals: OnTotals) {
    this.#deps = deps;
    this.#onTotals = onTotals;
    this.digest([], []);
  }

  get levels(): ReadonlyMap<string, PriorityLevel> {
    return this.#levels;
  }

  /** By precedence. The last is catch-all's, or an equal one. */
  get schemas(): readonly ActiveSchema[] {
    return this.#schemas;
  }

  /** Takes all objects there are; answers the conditions that are not as they should be. */
  digest(levels: readonly PriorityLevelConfiguration[], schemas: readonly FlowSchema[]): DanglingCondition[] {
    const next = new Map<string, PriorityLevel>();
    for (const config of levels) this.#take(next, config);
    const conditions = schemas.flatMap(schema => danglingOf(schema, next) ?? []);
    const good = schemas.filter(schema => next.has(schema.spec.priorityLevelConfiguration.name));
    this.#keepBusy(next);
    for (const { name, spec } of priorityLevels) {
      if (mandatoryNames.has(name) && !next.has(name)) {
        this.#take(next, { apiVersion, kind: 'PriorityLevelConfiguration', metadata: { name }, spec });
      }
    }
    this.#levels = next;
    this.#schemas = withMandatory([...good].sort(comparePrecedence)).map(schema => {
      const level = next.get(schema.spec.priorityLevelConfiguration.name)!;
      return new ActiveSchema(schema, level, this.#deps.metrics.flow(level.name, schema.metadata.name ?? ''));
    });
    this.#setLimits();
    return conditions;
  }

  /** Moves the limits to where the demand of the last period was. */
  adjust(): void {
    const { clock, metrics, serverLimit, logger } = this.#deps;
    const nowMs = clock.monotonicMs();
    const limited: PriorityLevel[] = [];
    let remaining = this.#nominalSum;
    let minSum = 0;
    let lowerSum = 0;
    for (const level of this.#levels.values()) {
      level.noteDemand(level.queues.demand.reset(nowMs));
      if (level.isExempt) {
        remaining -= level.lowerBound;
        continue;
      }
      limited.push(level);
      minSum += level.minLimit;
      lowerSum += level.lowerBound;
    }
    const target = (level: PriorityLevel): number => Math.max(level.lowerBound, level.demand.smoothed);
    let limits = limited.map(level => level.minLimit);
    metrics.fairFraction = 0;
    if (remaining > lowerSum) {
      const claims = limited.map(level => {
        return { target: target(level), lowerBound: level.lowerBound, upperBound: level.maxLimit };
      });
      try {
        const { seats, fairFraction } = allocateConcurrency(this.#nominalSum, claims);
        metrics.fairFraction = fairFraction;
        limits = seats.map(Math.round);
      } catch (error) {
        logger.error('limits of priority levels stay as they are', { error });
        limits = limited.map(level => level.currentLimit);
      }
    } else if (remaining > minSum) {
      const fraction = (remaining - minSum) / (lowerSum - minSum);
      limits = limited.map(level => level.minLimit + Math.round((level.lowerBound - level.minLimit) * fraction));
    }
    limited.forEach((level, at) => level.setCurrentLimit(limits[at]!, target(level), serverLimit, nowMs));
    for (const level of this.#levels.values()) {
      if (level.isExempt) level.setCurrentLimit(level.lowerBound, target(level), serverLimit, nowMs);
    }
  }

  /** A level from its object, with its queues if it has some already. Broken ones are as if they were not there. */
  #take(next: Map<string, PriorityLevel>, config: PriorityLevelConfiguration): void {
    const name = config.metadata.name ?? '';
    const old = this.#levels.get(name);
    const { metrics, clock, logger } = this.#deps;
    try {
      const queuing = queuingOf(config, old?.queuing);
      if (!old) return void next.set(name, new PriorityLevel(config, queuing, metrics.level(name), clock));
      old.config = config;
      old.queuing = queuing;
      old.quiescing = false;
      next.set(name, old);
    } catch (error) {
      logger.warn('priority level ignored', { name, error });
    }
  }

  /** What is no longer there but mandatory or still has requests. */
  #keepBusy(next: Map<string, PriorityLevel>): void {
    for (const [name, level] of this.#levels) {
      if (next.has(name)) continue;
      if (!mandatoryNames.has(name)) {
        if (level.queues.isIdle) continue;
        level.quiescing = true;
      }
      next.set(name, level);
    }
  }

  #setLimits(): void {
    const { serverLimit } = this.#deps;
    let shareSum = 0;
    for (const level of this.#levels.values()) shareSum += level.shares.shares;
    let waiting = 0;
    this.#nominalSum = 0;
    for (const level of this.#levels.values()) {
      level.setLimits(serverLimit, shareSum);
      this.#nominalSum += level.nominalLimit;
      const queuing = level.config.spec.limited?.limitResponse?.queuing;
      if (queuing) waiting += queuing.queues * queuing.queueLengthLimit;
    }
    this.#onTotals(waiting, this.#nominalSum);
    this.adjust();
  }
}

/** The schemas with exempt first and catch-all last, where their objects are not there. */
function withMandatory(schemas: readonly FlowSchema[]): FlowSchema[] {
  const has = (name: string): boolean => schemas.some(schema => schema.metadata.name === name);
  const imagined = (name: string): FlowSchema[] => {
    if (has(name)) return [];
    const { spec } = flowSchemas.find(each => each.name === name)!;
    return [{ apiVersion, kind: 'FlowSchema', metadata: { name }, spec }];
  };
  return [...imagined('exempt'), ...schemas, ...imagined('catch-all')];
}

/** Undefined when the schema's condition says so already. */
function danglingOf(schema: FlowSchema, levels: ReadonlyMap<string, PriorityLevel>): DanglingCondition | undefined {
  const level = schema.spec.priorityLevelConfiguration.name;
  const about = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  const name = schema.metadata.name ?? '';
  const wanted: DanglingCondition = levels.has(level)
    ? { schema: name, status: 'False', reason: 'Found', message: `${about} and it exists` }
    : { schema: name, status: 'True', reason: 'NotFound', message: `${about} but there is no such object` };
  const now = schema.status?.conditions?.find(each => each.type === 'Dangling');
  const isSame = now?.status === wanted.status && now.reason === wanted.reason && now.message === wanted.message;
  return isSame ? undefined : wanted;
}
