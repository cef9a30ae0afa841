/**
 * Kept connections to servers that objects of the API name, shared by whoever asks the same server with the same trust.
 * Bounded, for anyone may make such objects. Upstream: apiserver pkg/util/webhook/client.go, whose pool is of clients.
 */
import type { Agent, AgentOptions } from 'node:https';

export class AgentPool<A extends Pick<Agent, 'maxFreeSockets' | 'freeSockets' | 'destroy'>> implements Disposable {
  /** In the order of use, so that the first is the one to give up. */
  readonly #agents = new Map<string, A>();
  readonly #maxAgents: number;
  readonly #make: (options: AgentOptions) => A;

  constructor(maxAgents: number, make: (options: AgentOptions) => A) {
    this.#maxAgents = maxAgents;
    this.#make = make;
  }

  /** The agent of this identity: of all that decides whether two calls may share a connection. */
  get(identity: readonly unknown[], options: AgentOptions = {}): A {
    const key = JSON.stringify(identity);
    let agent = this.#agents.get(key);
    if (agent) this.#agents.delete(key);
    else {
      if (this.#agents.size >= this.#maxAgents) this.#giveUp();
      agent = this.#make({ keepAlive: true, maxCachedSessions: 0, ...options });
    }
    this.#agents.set(key, agent);
    return agent;
  }

  /** Calls that are under way come to their end; nothing is kept after them. */
  #giveUp(): void {
    const [key, agent] = this.#agents.entries().next().value!;
    this.#agents.delete(key);
    agent.maxFreeSockets = 0;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /** Ends calls that are under way too. */
  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
